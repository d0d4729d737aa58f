from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILES = {
    "dags/orders.py": """
from airflow.sdk import dag, task
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

@task
def load():
    from jobs.load import run
    run("config/limits.json")

@dag(schedule=None)
def orders():
    count = SparkSubmitOperator(task_id="count", application="jobs/spark/count.py", sql="sql/count.sql")
    load() >> count

orders()
""",
    "jobs/__init__.py": "",
    "jobs/load.py": "from . import common\n\ndef run(path): return common.read(path)\n",
    "jobs/common.py": "def read(path): return path\n",
    "jobs/unrelated.py": "x = 1\n",
    "jobs/spark/count.py": "from jobs.spark.words import WORDS\n",
    "jobs/spark/words.py": "WORDS = ('a',)\n",
    "config/limits.json": '{"rows": 10}\n',
    "dags/sql/count.sql": "{% include 'head.sql' %} select count(*) from orders\n",
    "dags/sql/head.sql": "-- the team's\n",
    "environments/acc.yaml": """
stage: acc
airflow:
  connections: {partner: {conn_type: http, host: partner.example.com, password: "${PARTNER_PASSWORD:-hunter2}"}}
  variables: {region: eu-west-1}
gate:
  requires: [integrity]
  max_age: 1d
""",
    "constraints.txt": "pendulum==3.1.0\n",
    "tests/unit/test_load.py": "def test_it(): pass\n",
    "README.md": "read me\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in a git repository, in which the test's process stands."""
    root = tmp_path / "project"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    commit(root)
    monkeypatch.chdir(root)
    return root


def commit(root: Path) -> str:
    """Commit everything, and return the commit."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "--allow-empty", "-m", "state")):
        subprocess.run(["git", "-C", root, *words], check=True)
    done = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder of two pairs of keys: ann.key and ann.pub, bob.key and bob.pub."""
    for name in ("ann", "bob"):
        key = Ed25519PrivateKey.generate()
        private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.key").write_bytes(key.private_bytes(*private))
        (tmp_path / f"{name}.pub").write_bytes(key.public_key().public_bytes(*public))
    return tmp_path
