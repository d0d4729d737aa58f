CONNECTIONS = {"warehouse": "pg_main", "lake": "datalake"}
