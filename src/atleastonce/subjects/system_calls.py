"""The system calls by which a process changes the world outside: its write points (Linux)."""

_CALLS: dict[str, tuple[str, dict[str, int]]] = {
    "write": ("f0", {"x86_64": 1, "aarch64": 64}),
    "pwrite64": ("f0", {"x86_64": 18, "aarch64": 68}),
    "writev": ("f0", {"x86_64": 20, "aarch64": 66}),
    "pwritev": ("f0", {"x86_64": 296, "aarch64": 70}),
    "pwritev2": ("f0", {"x86_64": 328, "aarch64": 287}),
    "fsync": ("f0", {"x86_64": 74, "aarch64": 82}),
    "fdatasync": ("f0", {"x86_64": 75, "aarch64": 83}),
    "sync_file_range": ("f0", {"x86_64": 277, "aarch64": 84}),
    "msync": ("", {"x86_64": 26, "aarch64": 227}),
    "ftruncate": ("f0", {"x86_64": 77, "aarch64": 46}),
    "truncate": ("p0", {"x86_64": 76, "aarch64": 45}),
    "fallocate": ("f0", {"x86_64": 285, "aarch64": 47}),
    "sendto": ("f0", {"x86_64": 44, "aarch64": 206}),
    "sendmsg": ("f0", {"x86_64": 46, "aarch64": 211}),
    "sendmmsg": ("f0", {"x86_64": 307, "aarch64": 269}),
    "sendfile": ("f0", {"x86_64": 40, "aarch64": 71}),
    "splice": ("f2", {"x86_64": 275, "aarch64": 76}),
    "copy_file_range": ("f2", {"x86_64": 326, "aarch64": 285}),
    "open": ("o0", {"x86_64": 2}),
    "openat": ("o1", {"x86_64": 257, "aarch64": 56}),
    "creat": ("p0", {"x86_64": 85}),
    "rename": ("p1", {"x86_64": 82}),
    "renameat": ("p3", {"x86_64": 264, "aarch64": 38}),
    "renameat2": ("p3", {"x86_64": 316, "aarch64": 276}),
    "unlink": ("p0", {"x86_64": 87}),
    "unlinkat": ("p1", {"x86_64": 263, "aarch64": 35}),
    "link": ("p1", {"x86_64": 86}),
    "linkat": ("p3", {"x86_64": 265, "aarch64": 37}),
    "symlink": ("p1", {"x86_64": 88}),
    "symlinkat": ("p2", {"x86_64": 266, "aarch64": 36}),
    "mkdir": ("p0", {"x86_64": 83}),
    "mkdirat": ("p1", {"x86_64": 258, "aarch64": 34}),
    "rmdir": ("p0", {"x86_64": 84}),
    "io_submit": ("", {"x86_64": 209, "aarch64": 2}),
    "io_uring_enter": ("", {"x86_64": 426, "aarch64": 426}),
}
"""By name: what it is about, and its number by machine.

What it is about is an argument: ``f0`` an open file, ``p0`` a path, ``o0`` a path that is opened, which counts only
where the flags behind it make a file or empty one.
"""

MACHINES = tuple(_CALLS["write"][1])


def numbered(machine: str) -> str:
    """Return the calls on that machine, as the tracer takes them: ``1:write:f0,18:pwrite64:f0,…``."""
    return ",".join(
        f"{numbers[machine]}:{name}:{kind}" for name, (kind, numbers) in _CALLS.items() if machine in numbers
    )
