"""The vocabularies that rules share: which qualified names mean the clock, the network, a database, chance."""

from __future__ import annotations

import re

from harness.checks.source.file import Call
from harness.checks.source.names import words

CLOCK = words(
    "datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today pendulum.now "
    "pendulum.today pendulum.yesterday pendulum.tomorrow pendulum.DateTime.now pendulum.DateTime.today "
    "airflow.utils.timezone.utcnow airflow.sdk.timezone.utcnow airflow.utils.dates.days_ago arrow.now arrow.utcnow "
    "pandas.Timestamp.now pandas.Timestamp.today pandas.Timestamp.utcnow time.localtime time.gmtime"
)
TICKS = frozenset(("time.time", "time.time_ns"))
CHANCE_MODULES = ("random.", "numpy.random.", "secrets.")
UNIQUE = frozenset(("uuid.uuid1", "uuid.uuid4", "secrets.token_hex", "secrets.token_urlsafe", "os.urandom"))

HTTP = re.compile(r"(requests|httpx)\.(get|post|put|patch|delete|head|options|request|stream)$")
SESSION_HTTP = re.compile(
    r"(requests\.Session|requests\.session|httpx\.Client|httpx\.AsyncClient|aiohttp\.ClientSession)\(\)"
    r"\.(get|post|put|patch|delete|head|options|request|stream|send)$"
)
NETWORK = re.compile(
    r"^(urllib\.request\.(urlopen|urlretrieve)|socket\.create_connection|socket\.socket\(\)\.connect|smtplib\.SMTP"
    r"|ftplib\.FTP|paramiko\.SSHClient\(\)\.connect|boto3\.(client|resource)\(\)\.\w+|boto3\.Session\(\)\.client\(\)\.\w+"
    r"|(kafka|confluent_kafka|aiokafka)\.\w*(Consumer|Producer|AdminClient)(\(\)\.\w+)?"
    r"|google\.cloud\.\w+\.Client\(\)\.\w+|azure\.storage\.\w+\.\w+\(\)\.\w+|hvac\.Client|redis\.\w*Redis\(\)\.\w+"
    r"|elasticsearch\.Elasticsearch\(\)\.\w+)$"
)
DATABASE = re.compile(
    r"^(psycopg2?\.connect|psycopg2\.connect|pymysql\.connect|MySQLdb\.connect|mysql\.connector\.connect|sqlite3\.connect"
    r"|oracledb\.connect|cx_Oracle\.connect|pyodbc\.connect|snowflake\.connector\.connect|duckdb\.connect|trino\.dbapi\.connect"
    r"|sqlalchemy\.create_engine\(\)\.(connect|execute|begin|raw_connection)|sqlalchemy\.create_engine\(\)\.\w+\(\)\.\w+"
    r"|pymongo\.MongoClient|pandas\.read_sql(_query|_table)?|psycopg\.AsyncConnection\.connect"
    r"|pyspark\.sql\.SparkSession\.builder(\.\w+(\(\))?)*\.getOrCreate)$"
)
HOOK_CALL = re.compile(r"(^|\.)[A-Z]\w*Hook\(\)\.\w+$")
PROCESS = words(
    "os.system os.popen subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.Popen "
    "subprocess.getoutput subprocess.getstatusoutput"
)
HEAVY = words(
    "pandas numpy scipy sklearn torch tensorflow keras xgboost lightgbm catboost transformers spacy nltk matplotlib "
    "seaborn plotly pyspark delta dask ray polars pyarrow statsmodels cv2 geopandas great_expectations mlflow "
    "prophet gensim datasets openai langchain"
)
SECRET_NAME = re.compile(
    r"(^|_)(password|passwd|pwd|secret|secret_key|api_key|apikey|access_key|secret_access_key|token|auth_token"
    r"|private_key|client_secret|passphrase|credential|credentials)$",
    re.IGNORECASE,
)
SQL_METHODS = words(
    "run execute executemany get_records get_first get_pandas_df get_df insert_rows sql read_sql read_sql_query "
    "copy_expert"
)


def is_clock(name: str) -> bool:
    """Say whether a call of that name reads the wall clock."""
    return name in CLOCK


def is_random(name: str) -> bool:
    """Say whether a call of that name gives another value each time."""
    if name in UNIQUE:
        return True
    own = ("random.Random", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.Generator")
    return name.startswith(CHANCE_MODULES) and not name.startswith(own) and not name.endswith(".seed")


def is_moving(name: str) -> bool:
    """Say whether a call of that name gives another value each time the file is parsed."""
    return name in CLOCK or name in TICKS or is_random(name)


def is_http(call: Call) -> bool:
    """Say whether a call sends an HTTP request."""
    return bool(HTTP.match(call.name) or SESSION_HTTP.search(call.name))


def is_network(call: Call) -> bool:
    """Say whether a call talks to another machine."""
    return is_http(call) or bool(NETWORK.match(call.name))
