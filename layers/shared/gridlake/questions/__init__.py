"""Questions about series: what is asked (`ir`), checked against a contract (`building`), planned and rendered (`influxql`).

Light: imports the contracts and nothing heavier.
"""
