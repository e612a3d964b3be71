"""Gridlake on one machine: a local AWS, an InfluxDB server and the application deployed onto them."""
