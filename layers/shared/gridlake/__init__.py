"""Gridlake: operators' files in, a trusted Parquet lake and InfluxDB time series out."""
