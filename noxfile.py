"""The project's questions, one session each; `nox -l` lists them.

Sessions run in the environment that nox itself runs in (`make test` makes `.venv` for that): what is tested is
what the README's commands have set up, and nothing is installed twice.
"""

import shutil

import nox

ACTIONLINT = "v1.7.12"

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "typing", "unit", "property", "integration"]
nox.options.error_on_missing_interpreters = True


@nox.session
def lint(session: nox.Session) -> None:
    """Is the code in the form that we agreed on?"""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Do the types fit together, in the tests as well?"""
    session.run("mypy")
    tests = ("mypy", "--config-file", "tests/mypy.ini")
    session.run(*tests, "tests/unit", "tests/property", "tests/integration", "tests/test_architecture.py")
    session.run(*tests, "tests/perf")  # by itself: two folders have a conftest that goes by its plain name


@nox.session
def unit(session: nox.Session) -> None:
    """Is each part right by itself, and do imports go down only?"""
    session.run("pytest", "tests/unit", "tests/test_architecture.py", *session.posargs)


@nox.session
def property(session: nox.Session) -> None:  # noqa: A001 - the session is called like its folder
    """Does what must hold for all inputs hold for random ones?"""
    session.run("pytest", "tests/property", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Does everything work with real brokers, in containers and as processes?"""
    session.run("pytest", "tests/integration", "--durations=30", "--durations-min=10", *session.posargs)


@nox.session
def perf(session: nox.Session) -> None:
    """How fast is it?"""
    session.run("pytest", "-m", "perf", "tests/perf", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """What does a newcomer see?"""
    session.run("atleastonce", "demo", *session.posargs)


@nox.session
def images(session: nox.Session) -> None:
    """Can the broker images be built where no container registry is reached?"""
    session.run("images/build", *session.posargs, external=True)


@nox.session
def workflows(session: nox.Session) -> None:
    """Will the hosted CI understand what it is told?"""
    if shutil.which("go") is None:
        session.skip("found no go, which fetches and builds actionlint; install Go")
    session.run("go", "run", f"github.com/rhysd/actionlint/cmd/actionlint@{ACTIONLINT}", external=True)


@nox.session
def selftest(session: nox.Session) -> None:
    """Do the checks bite, and only where they should, on every provider and type of queue?"""
    for provider in ("docker", "native"):
        for queue_type in ("quorum", "classic"):
            on = ("--broker", "rabbitmq", "--queue-type", queue_type)
            session.run("atleastonce", "selftest", "--provider", provider, *on)
        session.run("atleastonce", "selftest", "--provider", provider, "--broker", "kafka")
    session.run("atleastonce", "selftest", "--broker", "http")


@nox.session
def full(session: nox.Session) -> None:
    """Does it hold for long? Everything, with each walk and each replay made several times in a row."""
    for name in ("lint", "typing", "unit", "perf", "selftest"):
        session.notify(name)
    for name in ("property", "integration"):
        session.notify(name, posargs=["--thorough", *session.posargs])
