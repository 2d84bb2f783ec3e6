"""Every error that atleastonce raises, in one tree.

::

    AtLeastOnceError
    ├── UsageError            the call or a file is wrong: exit code 2
    │   ├── ContractError     the contract file
    │   ├── ScenarioError     a scenario file
    │   ├── ClaimError        a claim of a scenario file
    │   ├── SamplesError      a file of samples
    │   └── ServiceError      the service under test does not start or never gets ready
    ├── BrokerError           a broker could not be started, reached or changed
    │   ├── BrokerUnavailable no provider can give a broker of this kind here: exit code 2
    │   └── TransportError    a request to a running broker failed
    ├── ObservationError      the effects could not be read: the case is unknown
    └── Cancelled             the run was asked to stop

A message says what was attempted, what was found and what to do.
"""


class AtLeastOnceError(Exception):
    """The root: catch it to catch everything that atleastonce raises on purpose."""


class UsageError(AtLeastOnceError):
    """What the user wrote (a call, a file) cannot be carried out; the message says how to mend it."""


class ContractError(UsageError):
    """The contract file is wrong; the message names the key, what was found and what is expected."""


class ScenarioError(UsageError):
    """The scenario file is wrong; the message names the key, what was found and what is expected."""


class ClaimError(UsageError):
    """A claim is not understood; the message names the position, what was found and what is known there."""


class SamplesError(UsageError):
    """A file of samples is wrong; the message names the line, what was found and what is expected."""


class ServiceError(UsageError):
    """The service under test does not start or does not get ready in time."""


class BrokerError(AtLeastOnceError):
    """A broker could not be started, reached or changed."""


class BrokerUnavailable(BrokerError, UsageError):  # noqa: N818 - it names a state of the machine
    """No provider can give a broker of this kind here; the message names the command that changes that."""


class TransportError(BrokerError):
    """A request to a running broker failed."""


class ObservationError(AtLeastOnceError):
    """The effects of the service could not be read."""


class Cancelled(AtLeastOnceError):  # noqa: N818 - it names what happened, not a fault
    """The run was asked to stop."""
