"""System calls by number and name, and those that are allowed or refused whoever asks.

Numbers and names are those of the package system-calls, which is made from Linux's own tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from system_calls import syscalls

from scripts.common.errors import SutraError

# linux/audit.h: what seccomp calls the processor of a call
ARCHITECTURES = {0xC000003E: "x86_64", 0xC00000B7: "arm64"}
# What any program may need in a moment that no test has: memory, time, signals, threads,
# processes of its own, who it is, its end.
ALWAYS = frozenset((
    "brk", "clock_getres", "clock_gettime", "clone", "close", "exit", "exit_group", "futex",
    "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid",
    "getppid", "getrandom", "getresgid", "getresuid", "getrusage", "getsid", "gettid", "getuid",
    "kill", "lseek", "madvise", "membarrier", "mmap", "mprotect", "mremap", "munmap", "nanosleep",
    "poll", "prlimit64", "read", "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address",
    "sigaltstack", "sysinfo", "tgkill", "times", "tkill", "uname", "wait4", "write",
))  # fmt: skip # a list of words
# What runc and crun call between their loading of the filter and the service's first call: the
# base profiles of security-profiles-operator, without what comes before under no-new-privileges,
# and sendmsg, with which crun hands over the descriptor
RUNTIMES = frozenset((
    "arch_prctl", "close_range", "dup", "epoll_ctl", "epoll_wait", "execve", "fcntl", "fstatfs",
    "getcwd", "getdents64", "openat", "prctl", "readlink", "sendmsg", "stat", "umask",
))  # fmt: skip # a list of words
# calls that do the same on another processor, kernel or C library
KIN = tuple(map(frozenset, (
    ("access", "faccessat", "faccessat2"),
    ("accept", "accept4"),
    ("chmod", "fchmodat", "fchmodat2"),
    ("clock_nanosleep", "nanosleep"),
    ("clock_gettime", "gettimeofday", "time"),
    ("dup", "dup2", "dup3"),
    ("epoll_create", "epoll_create1"),
    ("epoll_pwait", "epoll_pwait2", "epoll_wait"),
    ("eventfd", "eventfd2"),
    ("clone", "fork", "vfork"),
    ("fstat", "lstat", "newfstatat", "stat", "statx"),
    ("fstatfs", "statfs"),
    ("getdents", "getdents64"),
    ("getpeername", "getsockname", "getsockopt", "setsockopt", "shutdown"),
    ("getrlimit", "prlimit64"),
    ("inotify_init", "inotify_init1"),
    ("link", "linkat"),
    ("mkdir", "mkdirat"),
    ("open", "openat", "openat2"),
    ("pipe", "pipe2"),
    ("poll", "ppoll"),
    ("pread64", "preadv", "preadv2", "read", "readv"),
    ("pselect6", "select"),
    ("pwrite64", "pwritev", "pwritev2", "write", "writev"),
    ("readlink", "readlinkat"),
    ("recvfrom", "recvmmsg", "recvmsg"),
    ("rename", "renameat", "renameat2"),
    ("rmdir", "unlink", "unlinkat"),
    ("sendmmsg", "sendmsg", "sendto"),
    ("signalfd", "signalfd4"),
    ("symlink", "symlinkat"),
    ("wait4", "waitid"),
)))  # fmt: skip # a list of words
# Never in a profile: what Docker refuses to a container without capabilities. clone3 too, whose
# flags no filter can read: a C library that finds it missing calls clone.
REFUSED = frozenset((
    "acct", "add_key", "bpf", "chroot", "clock_settime", "clone3", "delete_module",
    "fanotify_init", "file_getattr", "file_setattr", "finit_module", "fsconfig", "fsmount",
    "fsopen", "fspick", "get_mempolicy", "init_module", "io_uring_enter", "io_uring_register",
    "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
    "listns", "lookup_dcookie", "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr",
    "mbind", "migrate_pages", "mount", "mount_setattr", "move_mount", "move_pages",
    "open_by_handle_at", "open_tree", "open_tree_attr", "perf_event_open", "personality",
    "pidfd_getfd", "pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev",
    "ptrace", "quotactl", "quotactl_fd", "reboot", "request_key", "rseq_slice_yield",
    "set_mempolicy", "set_mempolicy_home_node", "setdomainname", "sethostname", "setns",
    "settimeofday", "swapoff", "swapon", "sysfs", "syslog", "umount2", "unshare", "uprobe",
    "userfaultfd", "ustat", "vhangup",
))  # fmt: skip # a list of words


@cache
def all_names() -> frozenset[str]:
    """Return the names of all calls on the processors of ARCHITECTURES."""
    tables = syscalls()
    return frozenset(
        name
        for architecture in ARCHITECTURES.values()
        for name in tables.load_arch_table(architecture)
    )


def name_of(number: int, architecture: int) -> str:
    """Return a call's name, "call 999" where the table has none. Raises SutraError.

    `architecture` is the processor as Linux's audit numbers it.
    """
    if architecture not in ARCHITECTURES:
        raise SutraError(
            f'seccomp: calls of another processor "{architecture:#x}"',
            f"they can be recorded on {' and '.join(ARCHITECTURES.values())}",
        )
    table = syscalls().load_reverse_arch_table(ARCHITECTURES[architecture])
    return str(table.get(number, f"call {number}"))


def allowed(recorded: Iterable[str]) -> frozenset[str]:
    """Return what a profile allows where these calls were seen: their kin, and what all need."""
    names = frozenset(recorded) | ALWAYS | RUNTIMES
    kin = {name for group in KIN if group & names for name in group}
    return ((names | kin) & all_names()) - REFUSED
