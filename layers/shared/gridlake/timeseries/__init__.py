"""InfluxDB: writing, loading, replacing and reconciling series.

Importing this package or `gridlake.timeseries.handler` needs neither pyarrow nor influxdb-client: both are loaded by the
modules and servers that use them, so that an API function starts fast.
"""
