"""Names that several DAGs share."""


class Storage:
    CONN = "minio_landing"
    BUCKET = "landing-orders"


DWH_CONN = "dwh"
REGIONS = {"emea": "Europe/Amsterdam", "amer": "America/New_York"}
