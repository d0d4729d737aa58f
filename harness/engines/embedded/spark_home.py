"""Makes the SPARK_HOME of an environment with a resident driver: pyspark's own, but for its `spark-submit`."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from harness.engines.jars import pyspark_jars

#: what Airflow's SparkSubmitHook may be told to call (its ALLOWED_SPARK_BINARIES)
_NAMES = ("spark-submit", "spark2-submit", "spark3-submit")

#: A plain `python job.py` starts its own JVM by `$SPARK_HOME/bin/spark-submit ... pyspark-shell`: that is Spark's.
_SCRIPT = """\
#!/bin/sh
case " $* " in
*" pyspark-shell"*)
    SPARK_HOME={home} exec {home}/bin/spark-class org.apache.spark.deploy.SparkSubmit "$@" ;;
esac
python={python}
exec "${{PYSPARK_DRIVER_PYTHON:-${{PYSPARK_PYTHON:-$python}}}}" -u {home}/submit.py "$@"
"""

#: Another interpreter finds the driver's pyspark before its own, as a real spark-submit has it.
_PROGRAM = """\
import sys
sys.path[:1] = [] if sys.prefix == {prefix!r} else {libraries!r}
from harness.services.spark_submit import main
sys.exit(main({folder!r}, sys.argv[1:]))
"""


def write_home(home: Path) -> Path:
    """Write the folder, and return it; its `bin` belongs on PATH, where `spark-submit` hands jobs to HARNESS_SPARK.

    Args:
        home: is made; its parent must be there.

    Raises:
        ServiceError: pyspark is not installed.
    """
    own = pyspark_jars().parent
    for folder in (home, home / "bin", home / "lib", home / "submitted"):
        folder.mkdir(exist_ok=True)
    parts = [part for part in own.iterdir() if part.name in ("jars", "python", "sbin")]
    programs = [part for part in (own / "bin").iterdir() if not part.name.startswith("spark-submit")]
    for part in (*parts, *programs):
        (home / part.relative_to(own)).symlink_to(part)
    package = find_spec("harness")
    assert package is not None
    assert package.origin is not None
    # alone, without what else is installed beside it
    (home / "lib" / "harness").symlink_to(Path(package.origin).parent)
    libraries = [str(home / "lib"), *map(str, sorted((own / "python" / "lib").glob("*.zip")))]
    program = _PROGRAM.format(prefix=sys.prefix, libraries=libraries, folder=str(home / "submitted"))
    (home / "submit.py").write_text(program)
    script = _SCRIPT.format(home=shlex.quote(str(home)), python=shlex.quote(sys.executable))
    for name in _NAMES:
        (home / "bin" / name).write_text(script)
        (home / "bin" / name).chmod(0o755)
    return home
