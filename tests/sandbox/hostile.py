# ruff: noqa: E501
"""Programs that mean harm.  Each prints ESCAPED if it got what it was after, and names how it may end.

They get ``PORT``, ``ABSTRACT``, ``SECRET_FILE`` and ``SOCKET`` as text in their source: a listening port, an abstract
socket, a file and a socket of the host.
"""

from dataclasses import dataclass

from palestra.sandbox import RunStatus

SUCCESS, ERROR, TIMEOUT = RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT
MEMORY, OUTPUT_LIMIT, KILLED = RunStatus.MEMORY, RunStatus.OUTPUT_LIMIT, RunStatus.KILLED


@dataclass(frozen=True)
class Hostile:
    source: str
    statuses: tuple[RunStatus, ...] = (SUCCESS,)
    shell: bool = False


_CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*numbers):
    return libc.syscall(*(ctypes.c_long(number) if isinstance(number, int) else number for number in numbers))
"""

_TRY = """
import os
def attempt(action):
    try:
        result = action()
    except Exception:
        return
    print("ESCAPED", action.__code__.co_firstlineno, result)
"""

_LEAVE_THREAD = """
import ctypes, platform, threading
def leave():
    threading.Thread(target=threading.Event().wait).start()
    ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)  # exit, of this thread alone
"""

PROGRAMS = {
    # more than its share
    "fork bomb": Hostile(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", (TIMEOUT, MEMORY, KILLED, ERROR)
    ),
    "fork bomb of the shell": Hostile(":(){ :|:& };:; wait; sleep 1", (SUCCESS, ERROR, TIMEOUT, MEMORY), shell=True),
    "fork bomb that ignores signals": Hostile(
        "import os, signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "while True:\n    try: os.setsid() if os.fork() == 0 else None\n    except OSError: pass",
        (TIMEOUT, MEMORY, KILLED, ERROR),
    ),
    "zombies": Hostile(
        "import os\ntry:\n    while True:\n        if os.fork() == 0: os._exit(0)\nexcept OSError: pass", (SUCCESS,)
    ),
    "threads": Hostile(
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(100,), daemon=True).start()",
        (ERROR, MEMORY, TIMEOUT, KILLED),
    ),
    "memory bomb": Hostile("x = []\nwhile True: x.append(bytearray(1 << 20))", (MEMORY,)),
    "one large allocation": Hostile("x = bytearray(1 << 40)", (MEMORY,)),
    "memory of many children": Hostile(
        "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(40 << 20)\n"
        "        for i in range(0, len(x), 4096): x[i] = 1\n        time.sleep(60)\n"
        "for _ in range(8): assert os.wait()[1] == 0",
        (MEMORY, ERROR),
    ),
    "shared memory": Hostile(
        "import mmap\nkept = []\nwhile True:\n    m = mmap.mmap(-1, 1 << 20); kept.append(m)\n"
        "    for i in range(0, 1 << 20, 4096): m[i] = 1",
        (MEMORY, ERROR, KILLED),
    ),
    "memory that has no name": Hostile(
        _CALL
        + "f = call(319 if os.uname().machine == 'x86_64' else 279, b'x', 0)\nprint('ESCAPED' if f >= 0 else 'no')"
    ),
    "memory of System V": Hostile(
        _CALL + "print('ESCAPED' if libc.shmget(0, ctypes.c_size_t(1 << 30), 0o1600) >= 0 else 'no')"
    ),
    "disk fill": Hostile(
        "n = 0\ntry:\n    with open('big', 'wb', buffering=0) as f:\n        while True: n += f.write(bytes(1 << 16))\n"
        "except OSError: pass\nprint('ESCAPED' if n > 9 << 20 else 'no')",
        (SUCCESS, KILLED, MEMORY),
    ),
    "disk fill beside the working folder": Hostile(
        "import os\nn = 0\nfor d in ('/tmp', '/dev/shm', '/work'):\n  for k in range(20):\n    try:\n"
        "        with open(f'{d}/big{k}', 'wb', buffering=0) as f:\n"
        "            for _ in range(64): n += f.write(bytes(1 << 16))\n    except OSError: pass\n"
        "print('ESCAPED' if n > 30 << 20 else 'no')",
        (SUCCESS, MEMORY),
    ),
    "many small files": Hostile(
        "n = 0\ntry:\n    while n < 200000: open(f'f{n}', 'w').close(); n += 1\nexcept OSError: pass\n"
        "print('ESCAPED' if n >= 200000 else 'no')",
        (SUCCESS, MEMORY, TIMEOUT),
    ),
    "a file of a terabyte": Hostile(_TRY + "attempt(lambda: open('big', 'w').truncate(1 << 40))", (SUCCESS, KILLED)),
    "descriptors": Hostile(
        "import os\nn = 0\ntry:\n    while True: os.open('/dev/null', os.O_RDONLY); n += 1\nexcept OSError: pass\n"
        "print('ESCAPED' if n > 300 else 'no')"
    ),
    "endless output": Hostile("while True: print('x' * 1000)", (OUTPUT_LIMIT,)),
    "endless errors": Hostile("import sys\nwhile True: sys.stderr.write('x' * 1000)", (OUTPUT_LIMIT,)),
    "endless output of a child": Hostile("yes & exec sleep 100", (OUTPUT_LIMIT, TIMEOUT), shell=True),
    "raising its own limits": Hostile(
        _TRY + "import resource\nfor which in range(16):\n"
        "    hard = resource.getrlimit(which)[1]\n"
        "    if hard != resource.RLIM_INFINITY:\n"
        "        attempt(lambda: resource.setrlimit(which, (hard + 1, hard + 1)))\n"
        "attempt(lambda: os.nice(-5))\nattempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))\n"
        "attempt(lambda: open('/proc/self/oom_score_adj', 'w').write('-1000') and open('/proc/self/oom_score_adj').read() == '-1000' or 1 / 0)"
    ),
    # staying
    "ignoring SIGTERM": Hostile(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)", (TIMEOUT,)
    ),
    "using all of its processor time": Hostile("while True: pass", (TIMEOUT,)),
    "using processor time in children": Hostile(
        "import os\nfor _ in range(3): os.fork()\nwhile True: pass", (TIMEOUT,)
    ),
    "double fork": Hostile(
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        while True:\n            open('heartbeat', 'a').write('.'); time.sleep(0.01)\n    os._exit(0)\n"
        "time.sleep(0.2)"
    ),
    "a child that holds the pipe open": Hostile("sleep 1000 & echo started", (SUCCESS,), shell=True),
    "an end that never comes": Hostile("import atexit, time\natexit.register(time.sleep, 1000)", (TIMEOUT,)),
    "threads that never end": Hostile(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()", (TIMEOUT,)
    ),
    "threads that outlive the first one": Hostile(_LEAVE_THREAD + "leave()", (TIMEOUT,)),
    "a child of which only a later thread lives": Hostile(
        _LEAVE_THREAD + "import os\nif os.fork() == 0: leave()\nthreading.Event().wait(0.2)"
    ),
    "stopping itself": Hostile("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", (TIMEOUT,)),
    "waiting for a pipe": Hostile("import os\nos.mkfifo('pipe')\nopen('pipe').read()", (TIMEOUT,)),
    # looking
    "files of the host": Hostile(
        _TRY + "attempt(lambda: open('SECRET_FILE').read())\nattempt(lambda: open('/etc/shadow').read())\n"
        "attempt(lambda: os.listdir('/home'))\nattempt(lambda: os.listdir('/root/.ssh'))\n"
        "attempt(lambda: open('/proc/1/root/etc/shadow').read())"
    ),
    "environment of the host": Hostile(
        "import glob, os\ntext = repr(os.environ)\n"
        "for path in glob.glob('/proc/[0-9]*/environ'):\n    try: text += open(path, errors='replace').read()\n    except OSError: pass\n"
        "print('ESCAPED' if 'PALESTRA_TEST_' + 'SECRET' in text else 'no')"
    ),
    "processes of the host": Hostile(
        "import os\nprint('ESCAPED' if len([p for p in os.listdir('/proc') if p.isdigit()]) > 6 else 'no')"
    ),
    "memory of its parents": Hostile(
        _TRY + _CALL + "for pid in (1, os.getppid()):\n    attempt(lambda: open(f'/proc/{pid}/mem', 'rb').fileno())\n"
        "    attempt(lambda: open(f'/proc/{pid}/maps').read() or 1 / 0)\n"
        "    attempt(lambda: os.listdir(f'/proc/{pid}/fd'))\n    attempt(lambda: os.readlink(f'/proc/{pid}/cwd'))\n"
        "buffer = ctypes.create_string_buffer(64)\n"
        "class Part(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]\n"
        "local = Part(ctypes.addressof(buffer), 64)\n"
        "if libc.process_vm_readv(1, ctypes.byref(local), 1, ctypes.byref(local), 1, 0) > 0: print('ESCAPED')"
    ),
    "tracing": Hostile(
        _CALL + "for pid in {1, os.getppid()}:\n    if libc.ptrace(16, pid, 0, 0) == 0: print('ESCAPED')\n"
        "    if libc.ptrace(0x4206, pid, 0, 0) == 0: print('ESCAPED')"
    ),
    "descriptors that it should not have": Hostile(
        "import os\nheld = {}\nfor name in os.listdir('/proc/self/fd'):\n    try: held[name] = os.readlink(f'/proc/self/fd/{name}')\n    except OSError: pass\n"
        "print('ESCAPED' if set(held) - {'0', '1', '2'} else 'no', held)"
    ),
    "the kernel's log and memory": Hostile(
        _TRY
        + "for path in ('/proc/kcore', '/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/proc/kmsg'):\n    attempt(lambda: open(path, 'rb').read(1))"
    ),
    # changing
    "writing outside": Hostile(
        _TRY
        + "for path in ('/x', '/usr/x', '/etc/x', '/bin/sh', '/dev/x', '/proc/x', '/usr/bin/env', '/etc/passwd', '/scratch/x'):\n"
        "    attempt(lambda: open(path, 'a'))\n"
        "attempt(lambda: os.unlink('/usr/bin/env'))\nattempt(lambda: os.rename('/etc/passwd', '/etc/p'))\n"
        "attempt(lambda: os.chmod('/usr/bin/env', 0o777))"
    ),
    "settings of the kernel": Hostile(
        _TRY
        + "for path in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/vm/overcommit_memory',\n"
        "             '/proc/sys/user/max_user_namespaces', '/proc/sys/kernel/hostname', '/proc/self/uid_map', '/proc/self/setgroups'):\n"
        "    attempt(lambda: open(path, 'w').write('1'))"
    ),
    "control groups": Hostile(
        _TRY + "import glob\nfor path in glob.glob('/sys/fs/cgroup/*') + glob.glob('/sys/fs/cgroup/*/*'):\n"
        "    attempt(lambda: open(path, 'w').write('0'))\n    attempt(lambda: os.mkdir(path + '/x'))"
    ),
    "signals to everybody": Hostile(
        "import os, signal\nfor number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL, signal.SIGSTOP):\n"
        "    for pid in (1, os.getppid(), -1, *range(2, 3000)):\n"
        "        if pid != os.getpid():\n            try: os.kill(pid, number)\n            except OSError: pass",
        (SUCCESS,),
    ),
    "mounts": Hostile(
        _CALL
        + "for source, target, kind, flags in ((b'x', b'/work', b'tmpfs', 0), (b'/', b'/tmp', b'', 4096), (b'proc', b'/tmp', b'proc', 0),\n"
        "        (b'', b'/', b'', 32)):\n"
        "    if libc.mount(source, target, kind, flags, b'') == 0: print('ESCAPED', kind)\n"
        "for path in (b'/proc', b'/work', b'/'):\n    if libc.umount2(path, 2) == 0: print('ESCAPED', path)"
    ),
    "namespaces": Hostile(
        _TRY
        + _CALL
        + "for flag in (0x10000000, 0x10020000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000, 0x80):\n"
        "    if libc.unshare(flag) == 0: print('ESCAPED unshare', hex(flag))\n"
        "    if flag != 0x80:\n"
        "        pid = call(56 if os.uname().machine == 'x86_64' else 220, flag | 17, 0, 0, 0, 0)\n"
        "        if pid == 0: os._exit(0)\n        if pid > 0: print('ESCAPED clone', hex(flag))\n"
        "for name in ('mnt', 'pid', 'net', 'user'):\n"
        "    try: f = os.open(f'/proc/1/ns/{name}', os.O_RDONLY)\n    except OSError: continue\n"
        "    if libc.setns(f, 0) == 0: print('ESCAPED setns', name)"
    ),
    "another root": Hostile(
        _TRY
        + _CALL
        + "attempt(lambda: os.chroot('/work'))\nif call(155 if os.uname().machine == 'x86_64' else 41, b'/work', b'/work') == 0: print('ESCAPED')"
    ),
    "becoming root": Hostile(
        _TRY + "attempt(lambda: os.setuid(0))\nattempt(lambda: os.setgid(0))\nattempt(lambda: os.setgroups([0]))\n"
        "attempt(lambda: os.chown('/work', 0, 0))\n"
        "import shutil, subprocess\nshutil.copy('/bin/bash', 'sh')\nos.chmod('sh', 0o6755)\n"
        "print(subprocess.run(['./sh', '-p', '-c', 'test $EUID = 0 && echo ESCAPED'], capture_output=True, text=True).stdout)\n"
        "for tool in ('su', 'mount', 'passwd', 'newuidmap'):\n"
        "    path = shutil.which(tool)\n"
        "    if path and os.stat(path).st_mode & 0o4000:\n"
        "        print(subprocess.run([path, '--version'], capture_output=True, text=True).returncode)"
    ),
    "device nodes": Hostile(
        _TRY + "import stat\nfor kind in (stat.S_IFBLK, stat.S_IFCHR):\n"
        "    attempt(lambda: os.mknod('node', kind | 0o666, os.makedev(1, 3)))\n"
        "    attempt(lambda: os.mknod('/tmp/node', kind | 0o666, os.makedev(254, 0)))"
    ),
    "the clock": Hostile(
        _TRY + _CALL + "import time\nattempt(lambda: time.clock_settime(time.CLOCK_REALTIME, 0))\n"
        "if libc.settimeofday(ctypes.create_string_buffer(16), None) == 0: print('ESCAPED')"
    ),
    "a clock of its own": Hostile(
        "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0\nwhile time.time() < 1: time.sleep(0.01)",
        (TIMEOUT,),
    ),
    "doors of the kernel": Hostile(
        _CALL + "x86 = os.uname().machine == 'x86_64'\nattributes = ctypes.create_string_buffer(256)\n"
        "attributes[0:8] = bytes([1, 0, 0, 0, 120, 0, 0, 0])\n"
        "for name, number, *rest in (('bpf', 321 if x86 else 280, 0, attributes, 72), ('perf', 298 if x86 else 241, attributes, 0, -1, -1, 0),\n"
        "        ('userfaultfd', 323 if x86 else 282, 1), ('keyctl', 250 if x86 else 219, 0, -3, 1), ('io_uring', 425, 4, attributes),\n"
        "        ('add_key', 248 if x86 else 217, b'user', b'x', b'y', 1, -3), ('fsopen', 430, b'tmpfs', 0)):\n"
        "    if call(number, *rest) >= 0: print('ESCAPED', name)"
    ),
    "stopping the machine": Hostile(
        _CALL
        + "if libc.reboot(0x89ABCDEF) == 0 or libc.swapoff(b'/x') == 0 or libc.sethostname(b'x', 1) == 0: print('ESCAPED')\n"
        "if libc.init_module(b'', 0, b'') == 0: print('ESCAPED')"
    ),
    "keys typed into the terminal": Hostile(
        _TRY + "import fcntl\nfor path in ('/dev/tty', '/dev/console', '/dev/pts/0'):\n"
        "    attempt(lambda: fcntl.ioctl(os.open(path, os.O_RDWR), 0x5412, b'x'))\n"
        "for number in (0, 1, 2): attempt(lambda: fcntl.ioctl(number, 0x5412, b'x'))"
    ),
    # calling
    "the host's loopback": Hostile(
        _TRY + "import socket\nattempt(lambda: socket.create_connection(('127.0.0.1', PORT), 1))"
    ),
    "the world": Hostile(
        _TRY + "import socket\nudp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "attempt(lambda: udp.sendto(b'x', ('8.8.8.8', 53)))\nattempt(lambda: socket.create_connection(('1.1.1.1', 80), 1))\n"
        "attempt(lambda: socket.getaddrinfo('example.org', 80))\n"
        "six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\nattempt(lambda: six.sendto(b'x', ('2001:4860:4860::8888', 53)))"
    ),
    "sockets of every family": Hostile(
        "import socket\nfor family in range(1, 46):\n    for kind in (1, 2, 3, 5):\n"
        "        for protocol in (0, 3):\n"
        "            try: socket.socket(family, kind, protocol)\n            except OSError: continue\n"
        "            if family not in (1, 2, 10) or kind == 3 and family != 1: print('ESCAPED', family, kind)"
    ),
    "sockets of the host": Hostile(
        _TRY
        + "import socket\nfor address in ('\\0ABSTRACT', 'SOCKET', '/var/run/docker.sock', '/run/systemd/private'):\n"
        "    attempt(lambda: socket.socket(socket.AF_UNIX).connect(address))"
    ),
    # crashing
    "deep recursion": Hostile(
        "import sys\nsys.setrecursionlimit(10**9)\nf = lambda: f()\nf()", (KILLED, ERROR, MEMORY, TIMEOUT)
    ),
    "a crash": Hostile("import ctypes\nctypes.string_at(0)", (KILLED,)),
    "a dump of its memory": Hostile("import os\nos.abort()", (KILLED,)),
    "killing itself": Hostile("import os\nos.kill(os.getpid(), 9)", (KILLED,)),
    "closing every descriptor": Hostile("import os\nos.closerange(0, 1000)\nprint('x')", (SUCCESS, ERROR)),
    "leaving by the back door": Hostile("import os\nos._exit(0)", (SUCCESS,)),
    "an exception that cannot be printed": Hostile(
        "class E(BaseException):\n    def __str__(self): raise E\n    __repr__ = __str__\nraise E", (ERROR,)
    ),
    "taking the interpreter apart": Hostile(
        "import sys, builtins, os\nos._exit = os.write = builtins.print = None\nsys.stdout = sys.stderr = None\nsys.modules.clear()\nraise ValueError",
        (ERROR,),
    ),
    "modules that shadow": Hostile(
        "for name in ('os', 'json', 'tarfile', 'traceback', 'site', 'threading', 'encodings', 'linecache'):\n"
        "    open(f'{name}.py', 'w').write(\"raise SystemExit('ESCAPED')\")"
    ),
    "closing its folder": Hostile("import os\nopen('x', 'w').close()\nos.chmod('x', 0)\nos.chmod('.', 0)"),
    "folders without end": Hostile(
        "import os\nfor _ in range(1000):\n    os.mkdir('d')\n    os.chdir('d')", (SUCCESS, ERROR)
    ),
    "odd names": Hostile(
        "for name in (b'\\xff\\xfe', b'a\\nb', b'-rf', b' ', b'\\xe2\\x80\\xae', b'x' * 255):\n    open(name, 'w').close()"
    ),
    "bytes that are no text": Hostile("import sys\nsys.stdout.buffer.write(bytes(range(256)) * 8)"),
}
