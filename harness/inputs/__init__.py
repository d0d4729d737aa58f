"""What a DAG file depends on: the project modules it imports, and the files it opens while it is parsed."""
