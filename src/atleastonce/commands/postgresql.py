"""A PostgreSQL of our own, for services of which several write at once: started, killed, started again, forgotten."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from atleastonce.brokers.broker import LOOPBACK
from atleastonce.brokers.ports import free_ports
from atleastonce.errors import ServiceError
from atleastonce.lifetimes import Lifetime

MISSING = "looked for PostgreSQL's programs: none found; install them with `apt-get install postgresql`"

_READY_WITHIN = 30.0
_STOPS_WITHIN = 30.0
_PULSE = 0.05
_USER = "campus"


def programs() -> Path | None:
    """Return the folder of the newest server's programs; None where there is none."""
    # Debian keeps them out of the path; elsewhere they may be in it.
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    if not found and (there := shutil.which("initdb")):
        found = [Path(there).parent]
    return found[0] if found else None


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdecimal() else 0


@contextlib.contextmanager
def opened(lifetime: Lifetime) -> Iterator["PostgreSQL"]:
    """Run a server of our own, and end it whatever happens; raise ServiceError where it does not start.

    Costs two seconds, most of them to make its files.
    """
    found = programs()
    if found is None:
        raise ServiceError(MISSING)
    (port,) = free_ports(1)
    folder = lifetime.directory(f"postgresql-{port}")
    # The server's user must get through to its folder, and sees nothing on the way.
    lifetime.root.chmod(0o711)
    server = PostgreSQL(found, folder, port, lifetime.environment())
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGINT)


@contextlib.contextmanager
def apart(url: str, name: str) -> Iterator[str]:
    """Make a schema of that name in a database that somebody gave us, and remove it again; yield its address.

    Raises ServiceError where the database cannot be reached, or no schema be made in it.
    """
    import sqlalchemy as sa  # noqa: PLC0415 - an extra, which may not be installed

    try:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE SCHEMA "{name}"')
            try:
                yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"
            finally:
                connection.exec_driver_sql(f'DROP SCHEMA "{name}" CASCADE')
        engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError) as exc:
        raise ServiceError(
            f"tried to make a schema in the database that was given: {exc}; give one as "
            "postgresql+psycopg://user:password@host:port/database, whose user may make schemas"
        ) from exc


class PostgreSQL:
    """A server that can be killed and started again, on a port of its own."""

    def __init__(self, found: Path, folder: Path, port: int, environment: Mapping[str, str]) -> None:
        self._programs = found
        self._folder = folder
        self._port = port
        self._environment = environment
        # It refuses to run as root; the package makes this user.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the files of a server."""
        if self._user:
            shutil.chown(self._folder, self._user)
        made = ("-D", str(self._folder / "data"), "-U", _USER, "--auth=trust", "-N")
        self._carry_out("initdb", *made, user=self._user)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self._port),
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), *settings]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                user=self._user,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _READY_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"PostgreSQL did not get ready; the end of its log:\n{self._tail()}")
            time.sleep(_PULSE)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: connections are cut, and what is committed is on disk."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
            self._process.wait(_STOPS_WITHIN)

    def database(self, name: str) -> str:
        """Make a database, in the place of one of that name; return its address."""
        self._carry_out("dropdb", *self._there, "--if-exists", "--force", name)
        self._carry_out("createdb", *self._there, name)
        return f"postgresql+psycopg://{_USER}@{LOOPBACK}:{self._port}/{name}"

    @property
    def _there(self) -> tuple[str, ...]:
        return ("-h", LOOPBACK, "-p", str(self._port), "-U", _USER)

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-3:])

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self._port)]
        return subprocess.run(command, check=False).returncode == 0

    def _carry_out(self, program: str, *words: str, user: str | None = None) -> None:
        done = subprocess.run(
            [str(self._programs / program), *words],
            user=user,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceError(
                f"PostgreSQL's {program} failed: {(done.stderr or done.stdout).strip()[-300:]}"
            )
