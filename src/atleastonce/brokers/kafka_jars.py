"""Kafka's published jars: fetched once for every user with Maven, and prepared for quick starts.

Beside the jars lie two things that make every start quicker: storage that is formatted already (0.8 s less)
and an archive of loaded classes (0.7 s less).
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from atleastonce.brokers.settings import lines
from atleastonce.cache import cache_folder
from atleastonce.errors import BrokerUnavailable

VERSION = "4.3.1"
FETCH = f"{sys.executable} -m atleastonce.brokers"
INSTALL_JAVA = "apt-get install --no-install-recommends default-jre-headless"
INSTALL_MAVEN = "apt-get install --no-install-recommends maven"

_JVM = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m"]  # quick to start, small, fast enough
_CLUSTER = "YXRsZWFzdG9uY2Uta2Fma2E"  # any 16 bytes: every broker of ours is a cluster of its own
_FETCHES_WITHIN = 600  # seconds: 44 MB over a slow line

# storage is the same wherever the broker will listen
_TO_FORMAT = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@127.0.0.1:9093",
    "controller.listener.names": "CONTROLLER",
    "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
}

# slf4j-simple must be of the release of slf4j-api that Kafka brings along
_POM = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>atleastonce</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


@dataclass(frozen=True)
class Installation:
    """Where the jars lie, with what was prepared from them."""

    root: Path
    java: str

    @property
    def jars(self) -> Path:
        """Kafka's jars and those that it needs."""
        return self.root / "libs"

    @property
    def formatted(self) -> Path:
        """Storage as Kafka's StorageTool leaves it, to be copied."""
        return self.root / "formatted"

    @property
    def classes(self) -> Path:
        """The archive of loaded classes; another Java than the one that wrote it takes no notice of it."""
        return self.root / "classes.jsa"

    def command(self, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        """Return the command that runs a class of Kafka's."""
        # spelt out and sorted: the archive of classes is valid for this very path only
        path = ":".join(sorted(str(jar) for jar in self.jars.glob("*.jar")))
        return [self.java, *_JVM, *options, "-cp", path, *arguments]


def installed() -> Installation:
    """Return the installation; raise BrokerUnavailable, naming the command that helps, if there is none."""
    java = _java()
    root = cache_folder() / f"kafka-{VERSION}"
    if not root.is_dir():
        raise BrokerUnavailable(f"looked for a native Kafka: found no jars; fetch them with `{FETCH}`")
    return Installation(root, java)


def fetch(say: Callable[[str], None]) -> Installation:
    """Fetch the jars with Maven and format storage, unless that was done before; 15 s on a fast line.

    Whoever looks while this goes on sees no installation; a fetch that failed leaves nothing behind. Raises
    BrokerUnavailable without Java or Maven, or if Maven cannot fetch.
    """
    with contextlib.suppress(BrokerUnavailable):
        found = installed()
        say(f"Kafka {VERSION}: already there")
        return found
    java, maven = _java(), shutil.which("mvn")
    if maven is None:
        raise BrokerUnavailable(
            f"was to fetch Kafka {VERSION}: found no mvn; install it with `{INSTALL_MAVEN}`"
        )
    cache_folder().mkdir(parents=True, exist_ok=True)
    target = cache_folder() / f"kafka-{VERSION}"
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="fetching-") as temporary:
        draft = Installation(Path(temporary) / "kafka", java)
        say(f"Kafka {VERSION}: fetching its jars with Maven")
        _fetch(maven, draft)
        say(f"Kafka {VERSION}: formatting storage")
        _format(draft)
        # a second one that fetched at the same time may have been quicker: then its work is as good as ours
        with contextlib.suppress(OSError):
            draft.root.rename(target)
    return installed()


def _fetch(maven: str, draft: Installation) -> None:
    draft.jars.mkdir(parents=True)
    pom = draft.root / "pom.xml"
    pom.write_text(_POM)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={draft.jars}"]
    _run([maven, "--batch-mode", "--quiet", "--file", str(pom), *goal], "fetch Kafka's jars with Maven")


def _format(draft: Installation) -> None:
    properties = draft.root / "format.properties"
    properties.write_text(lines(_TO_FORMAT | {"log.dirs": str(draft.formatted)}))
    tool = ["kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER, "--config", str(properties)]
    _run(draft.command(*tool), "format storage for Kafka")


def _run(command: list[str], attempt: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCHES_WITHIN, check=False)
    if done.returncode:
        end = (done.stdout + done.stderr).strip()[-2000:]
        raise BrokerUnavailable(
            f"was to {attempt}: it ended with {done.returncode}; mend what it says:\n{end}"
        )


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise BrokerUnavailable(f"looked for a native Kafka: found no java; install it with `{INSTALL_JAVA}`")
    return java
