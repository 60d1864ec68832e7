"""The sandbox's filter of system calls, as BPF bytes for bwrap. It denies what no experiment needs.

Namespaces, the dropped uid and the missing capabilities isolate the code; the filter reduces what it can reach of the
kernel besides.
"""

from __future__ import annotations

import errno
import platform
import struct

# Name: (number on x86_64, on aarch64); None if the architecture lacks the call. They fail with EPERM.
_PERM: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "uselib": (134, None),
    "vhangup": (153, 58),
}
# These fail with ENOSYS, as on a kernel without them, so that callers fall back to an older call. clone3 and openat2
# have their flags behind a pointer, which a filter cannot read; the memory watcher cannot see System V memory.
_ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "memfd_secret": (447, 447),
    "msgget": (68, 186),
    "openat2": (437, 437),
    "shmget": (29, 194),
}
# fallocate takes space faster than a watcher can see; without it callers write instead.
_FALLOCATE = (285, 47)
_MEMFD = (319, 279)  # memfd_create: the watcher cannot see memory that no process maps; GPU drivers may need the call
_NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag that clone takes
_SET_ID_BITS = 0o6000
_O_CREAT = 0o100
_TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
# fallocate through ioctl: FS_IOC_RESVSP, FS_IOC_RESVSP64 and FS_IOC_ZERO_RANGE, which every file system answers.
_PREALLOCATION = (0x40305828, 0x4030582A, 0x40305839)
_SOCKET_FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink (getaddrinfo); vsock would reach a VM's host
_ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def filter_bytes(*, gpu: bool = False, machine: str | None = None) -> bytes | None:
    """The filter as an array of struct sock_filter; None for an unknown architecture.

    With `gpu`, memfd_create is allowed.
    """
    known = _ARCHES.get(machine or platform.machine())
    if known is None:
        return None
    column, audit_arch = known
    program: list[Instruction] = [(_LOAD, 0, 0, 4), (_JEQ, 1, 0, audit_arch), (_RET, 0, 0, _KILL)]
    program.append((_LOAD, 0, 0, 0))
    if column == 0:  # x86_64 kernels accept x32 numbers as well, to which no rule below applies
        program += _deny((_JGE, 0x40000000), errno.ENOSYS)
    absent = dict(_ABSENT) if gpu else {**_ABSENT, "memfd_create": _MEMFD}
    for table, error in ((_PERM, errno.EPERM), (absent, errno.ENOSYS)):
        for numbers in table.values():
            if numbers[column] is not None:
                program += _deny((_JEQ, numbers[column] or 0), error)
    program += _deny((_JEQ, _FALLOCATE[column]), errno.EOPNOTSUPP)
    program += _argument_rules(column)
    program.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in program)


def _deny(test: tuple[int, int], error: int) -> list[Instruction]:
    code, operand = test
    return [(code, 0, 1, operand), (_RET, 0, 0, _ERRNO | error)]


def _argument_rules(column: int) -> list[Instruction]:
    """Rules for calls that are denied only with certain arguments."""
    rules: list[Instruction] = []
    rules += _call((56, 220)[column], [_load(0), *_deny((_JSET, _NEW_NAMESPACES), errno.EPERM)])
    ioctl = [step for request in _TERMINAL_INJECTION for step in _deny((_JEQ, request), errno.EPERM)]
    ioctl += [step for request in _PREALLOCATION for step in _deny((_JEQ, request), errno.EOPNOTSUPP)]
    rules += _call((16, 29)[column], [_load(1), *ioctl])
    families = [(_JEQ, len(_SOCKET_FAMILIES) - i, 0, family) for i, family in enumerate(_SOCKET_FAMILIES)]
    for number in ((41, 53), (198, 199))[column]:
        rules += _call(number, [_load(0), *families, (_RET, 0, 0, _ERRNO | errno.EAFNOSUPPORT)])
    # A set-uid file in the output folder would run with the uid of the user who runs this program.
    modes = ({90: 1, 91: 1, 268: 2, 452: 2, 85: 1, 133: 1, 259: 2}, {52: 1, 53: 2, 452: 2, 33: 2})
    for number, index in modes[column].items():
        rules += _call(number, [_load(index), *_deny((_JSET, _SET_ID_BITS), errno.EPERM)])
    for number, flags in ({2: 1, 257: 2}, {56: 2})[column].items():
        rules += _call(
            number,
            [_load(flags), (_JSET, 0, 3, _O_CREAT), _load(flags + 1), *_deny((_JSET, _SET_ID_BITS), errno.EPERM)],
        )
    return rules


def _call(number: int, body: list[Instruction]) -> list[Instruction]:
    """Apply `body` to one system call; afterwards the accumulator has the call's number again."""
    return [(_JEQ, 0, len(body), number), *body, (_LOAD, 0, 0, 0)]


def _load(argument: int) -> Instruction:
    """The low half of an argument (both architectures are little-endian)."""
    return (_LOAD, 0, 0, 16 + 8 * argument)
