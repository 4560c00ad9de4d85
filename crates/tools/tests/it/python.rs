//! Python in its sandbox: what it is good for, and every way out that was thought of. Each attempt is a program; what it found is read
//! from what it printed, and what it did to this machine is looked for here.

use std::time::{Duration, Instant};

use domain::{Attachment, ToolPart};
use serde_json::json;
use tools::Ground;
use tools::sandbox::Sandbox;

use crate::{House, order, preset};

/// The interpreter of this machine; another one, say with matplotlib, by PORTICO_TEST_PYTHON.
fn python() -> String {
    std::env::var("PORTICO_TEST_PYTHON").unwrap_or_else(|_| "/usr/bin/python3".to_owned())
}

async fn house(timeout_s: u32) -> House {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_portico-sandbox"), &[], python());
    let house = House::on(Ground { sandbox: Some(sandbox), ..Ground::default() }).await;
    let mut wanted = order(preset("python"));
    wanted.choices.timeout_s = Some(timeout_s);
    house.install(wanted).await;
    house
}

/// What a program printed, as a model reads it.
async fn ran(house: &House, code: &str) -> String {
    let answered = house.answered("python", &json!({ "code": code }), Vec::new()).await;
    assert_eq!(answered.step.error, None, "{}", answered.text);
    answered.text
}

/// Each line of a program is tried by itself; what went wrong is printed by its kind.
async fn tried(house: &House, set_up: &str, lines: &[&str]) -> Vec<String> {
    let code = format!(
        "{set_up}\nfor line in {lines:?}:\n    try:\n        print('done', eval(line))\n    except BaseException as error:\n        \
         print(type(error).__name__, getattr(error, 'errno', ''))\n"
    );
    ran(house, &code).await.trim_start_matches("output:\n").lines().map(str::to_owned).collect()
}

/// Programs of sandboxes that run on this machine, by a word in their command line.
fn running(word: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("/proc");
    let line = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
    let lines = entries.flatten().map(line).filter(|line| line.windows(word.len()).any(|part| part == word.as_bytes()));
    lines.count()
}

async fn none_is_left(word: &str) {
    let until = Instant::now() + Duration::from_secs(5);
    while running(word) > 0 {
        assert!(Instant::now() < until, "{word} still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_program_prints_computes_and_leaves_files_and_pictures() {
    let house = house(30).await;
    assert_eq!(ran(&house, "x = 6\nprint('six', x)\nx * 7").await, "output:\nsix 6\n42");
    assert_eq!(ran(&house, "None").await, "(it printed nothing)");
    let failed = ran(&house, "import math\nmath.sqrt(-1)").await;
    assert!(failed.starts_with("(it ended with exit code 1)\nerrors:\nTraceback"), "{failed}");
    assert!(failed.contains("File \"main.py\", line 2") && !failed.contains("driver.py"), "{failed}");
    assert!(ran(&house, "x = (").await.contains("SyntaxError"));
    assert_eq!(ran(&house, "import sys; sys.exit(3)").await, "(it ended with exit code 3)");
    // What a program does with text, threads, children and temporary files.
    let more = "import json, sqlite3, subprocess, sys, tempfile, threading, zoneinfo, datetime, decimal\n\
                from concurrent.futures import ThreadPoolExecutor\n\
                print(sum(ThreadPoolExecutor(4).map(lambda n: n * n, range(10))))\n\
                print(subprocess.run([sys.executable, '-c', 'print(\"child\")'], capture_output=True, text=True).stdout.strip())\n\
                db = sqlite3.connect('a.db'); db.execute('create table t(a)'); db.close()\n\
                print(len(tempfile.mkdtemp()) > 0, datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Asia/Shanghai')).utcoffset())\n\
                import multiprocessing\n\
                if __name__ == '__main__':\n    import asyncio\n    print(asyncio.run(asyncio.sleep(0, 'slept')))";
    assert!(
        ran(&house, more).await.starts_with("output:\n285\nchild\nTrue 8:00:00\nslept"),
        "{}",
        ran(&house, more).await
    );

    let table = Attachment { name: "销售.csv".into(), media_type: "text/csv".into(), bytes: "a,b\n1,2\n".into() };
    let code = "import csv, zlib, struct\nrows = list(csv.reader(open('销售.csv', encoding='utf-8')))\nprint(rows)\n\
                def chunk(kind, data):\n    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))\n\
                png = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 0, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(b'\\0\\0')) + chunk(b'IEND', b'')\n\
                open('plot.png', 'wb').write(png)\nopen('sum.csv', 'w').write('a\\n3\\n')\nopen('fake.png', 'w').write('<svg onload=x>')\nNone";
    let answered = house.answered("python", &json!({ "code": code }), vec![table]).await;
    assert!(answered.text.starts_with("output:\n[['a', 'b'], ['1', '2']]\n"), "{}", answered.text);
    let told: Vec<String> = answered
        .step
        .parts
        .iter()
        .map(|part| match part {
            ToolPart::Image { name, media_type, data } | ToolPart::File { name, media_type, data } => {
                format!("{name} {media_type} {}", data.len() > 5)
            }
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["fake.png text/plain true", "plot.png image/png true", "sum.csv text/csv true"]);
    assert!(matches!(&answered.step.parts[1], ToolPart::Image { .. }));
    // Nothing is remembered.
    assert_eq!(ran(&house, "import os; os.listdir('.')").await, "output:\n[]");
}

/// Needs an interpreter that has matplotlib: PORTICO_TEST_PYTHON names one. Without it this is named as skipped.
#[tokio::test]
async fn figures_of_matplotlib_come_back_as_pictures() {
    let house = house(60).await;
    let found = ran(&house, "import importlib.util; importlib.util.find_spec('matplotlib') is not None").await;
    if found.contains("False") {
        println!("skipped: {} has no matplotlib; PORTICO_TEST_PYTHON may name one that has", python());
        return;
    }
    for code in [
        "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.title('A')\nplt.show()\nplt.figure(); plt.bar([1], [2])\nprint('drawn')",
        "import matplotlib; matplotlib.use('Agg')\nimport numpy as np, matplotlib.pyplot as plt\nplt.plot(np.sin(np.arange(9)))\nplt.figure(); plt.plot([1])\nprint('drawn')",
    ] {
        let answered = house.answered("python", &json!({ "code": code }), Vec::new()).await;
        assert!(answered.text.starts_with("output:\ndrawn"), "{}", answered.text);
        let pictures = answered
            .step
            .parts
            .iter()
            .filter(|part| matches!(part, ToolPart::Image { data, .. } if data.len() > 5_000));
        assert_eq!(pictures.count(), 2, "{}", answered.text);
    }
}

#[tokio::test]
async fn escape_network() {
    let house = house(20).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it does not wait");
    let port = listener.local_addr().expect("an address").port();
    let connect = format!("socket.create_connection(('127.0.0.1', {port}), 2)");
    let open = format!("urllib.request.urlopen('http://127.0.0.1:{port}/', timeout=2)");
    let found = tried(
        &house,
        "import socket, urllib.request, ctypes\nlibc = ctypes.CDLL(None, use_errno=True)",
        &[
            &connect,
            &open,
            "socket.socket(socket.AF_UNIX)",
            "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
            "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
            "socket.socket(socket.AF_VSOCK)",
            "socket.getaddrinfo('localhost', 80)",
            "socket.socketpair(socket.AF_INET)",
            "libc.syscall(41, 2, 1, 0)",
        ],
    )
    .await;
    let last = found.len() - 1;
    assert!(found[..last].iter().all(|line| !line.starts_with("done")), "{found:?}");
    assert_eq!(found[last], "done -1");
    assert!(listener.accept().is_err(), "nobody came");
}

#[tokio::test]
async fn escape_files_of_the_host() {
    let data = tempfile::tempdir().expect("a folder");
    std::fs::write(data.path().join("portico.db"), "secret").expect("a file");
    let house = house(20).await;
    let secret = data.path().join("portico.db").display().to_string();
    let opened = [
        format!("open({secret:?}).read()"),
        format!("open('/proc/1/root{secret}').read()"),
        format!("open('/proc/self/cwd/../{secret}').read()"),
        format!("open('../../../../{secret}').read()"),
    ];
    let mut lines: Vec<&str> = opened.iter().map(String::as_str).collect();
    lines.extend([
        "open('/etc/passwd').read()",
        "open('/etc/shadow').read()",
        "open('/root/.ssh/id_rsa').read()",
        "os.listdir('/home')",
        "os.listdir('/root')",
        "os.listdir('/sys')",
        "os.listdir('/proc')",
        "open('/proc/1/environ').read()",
        "open('/proc/self/status').read()",
        "open('/proc/cpuinfo').read()",
        "os.open('/dev/vda', os.O_RDONLY)",
        "os.open('/dev/mem', os.O_RDONLY)",
        "os.listdir('/scratch')",
    ]);
    let found = tried(&house, "import os", &lines).await;
    assert!(found.iter().all(|line| line == "FileNotFoundError 2"), "{found:?}");
    let root = ran(
        &house,
        "import os; print(sorted(set(os.listdir('/')) - {'lib', 'lib64', 'usr', 'etc', 'opt', 'root', 'home'}))",
    )
    .await;
    assert_eq!(root, "output:\n['dev', 'run', 'tmp', 'work']");
    let devices = ran(&house, "import os; sorted(os.listdir('/dev'))").await;
    assert_eq!(devices, "output:\n['null', 'random', 'urandom', 'zero']");
    // No descriptor of the portal is open in it.
    let open = "import os\ndef there(n):\n    try:\n        os.fstat(n)\n        return True\n    except OSError:\n        return False\n[n for n in range(3, 128) if there(n)]";
    assert_eq!(ran(&house, open).await, "output:\n[]");
}

#[tokio::test]
async fn escape_writing_outside() {
    let house = house(20).await;
    let found = tried(
        &house,
        "import os, ctypes\nlibc = ctypes.CDLL(None, use_errno=True)",
        &[
            "open('/x', 'w')",
            "open('/usr/lib/x', 'w')",
            "open('/run/main.py', 'w')",
            "open('/etc/ld.so.preload', 'w')",
            "open('/dev/x', 'w')",
            "os.mkdir('/y')",
            "os.unlink('/run/driver.py')",
            "os.rename('/work', '/w')",
            "os.chmod('/run/driver.py', 0o777)",
            "os.mknod('/work/sda', 0o600 | 0o060000, os.makedev(8, 0))",
            "os.chroot('/work')",
            "os.setuid(0)",
            "os.setgroups([0])",
        ],
    )
    .await;
    assert!(found.iter().all(|line| !line.starts_with("done")), "{found:?}");
    // Calls that would change the walls themselves: mount, umount2, pivot_root, unshare, setns, clone3, open_by_handle_at.
    let calls = tried(
        &house,
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\ndef call(*n):\n    return libc.syscall(*n), ctypes.get_errno()",
        &[
            "call(165, b'none', b'/work', b'tmpfs', 0, 0)",
            "call(166, b'/work', 2)",
            "call(155, b'/', b'/')",
            "call(272, 0x10000000)",
            "call(308, 0, 0)",
            "call(435, 0, 0)",
            "call(304, 0, 0, 0)",
            "call(425, 1, 0)",
            "call(321, 0, 0, 0)",
            "call(250, 0, 0, 0)",
        ],
    )
    .await;
    // The numbers are those of x86-64.
    let known = cfg!(target_arch = "x86_64");
    assert!(!known || calls.iter().all(|line| line == "done (-1, 38)"), "no such system call: {calls:?}");
    // Native code that a program brings is not run.
    let brought = "import os, shutil, sys\nshutil.copy(os.path.realpath(sys.executable), 'me')\nos.chmod('me', 0o755)\nos.execv('./me', ['me'])";
    assert!(ran(&house, brought).await.contains("PermissionError"));
}

#[tokio::test]
async fn escape_fork_bomb() {
    let house = house(3).await;
    let began = Instant::now();
    let code = "import os, time\nprint('boom', flush=True)\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass";
    let text = ran(&house, code).await;
    assert!(text.starts_with("(it was ended: ") && text.contains("boom"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    none_is_left("/run/driver.py").await;
    let threads = "import threading, time\nn = 0\ntry:\n    while n < 10_000:\n        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n        n += 1\nexcept RuntimeError:\n    pass\nprint(n < 100)";
    assert!(ran(&house, threads).await.contains("True"));
    none_is_left("/run/driver.py").await;
}

#[tokio::test]
async fn escape_memory() {
    let house = house(20).await;
    assert!(ran(&house, "bytearray(20_000_000_000)").await.contains("MemoryError"));
    let text = ran(&house, "kept = []\nwhile True:\n    kept.append(bytearray(b'x') * 10_000_000)").await;
    assert!(text.starts_with("(it was ended: it took more than 512 MiB of memory)"), "{text}");
    // Each below the limit, all together above it.
    let many = "import os, time\nfor _ in range(10):\n    if os.fork() == 0:\n        kept = bytearray(b'x') * 100_000_000\n        time.sleep(15)\n        os._exit(0)\ntime.sleep(15)";
    let text = ran(&house, many).await;
    assert!(text.starts_with("(it was ended: it took more than 512 MiB of memory)"), "{text}");
    // The scratch folder is memory, too, and has an end.
    let full = "import itertools\nfor n in itertools.count():\n    open(f'/tmp/{n}', 'wb').write(bytes(10_000_000))";
    let text = ran(&house, full).await;
    assert!(text.contains("No space left on device"), "{text}");
    none_is_left("/run/driver.py").await;
}

#[tokio::test]
async fn escape_endless_output_and_endless_time() {
    let house = house(2).await;
    for code in ["while True:\n    print('x' * 1000)", "import sys\nwhile True:\n    sys.stderr.write('x' * 1000)"] {
        let text = ran(&house, code).await;
        assert!(text.starts_with("(it was ended: it printed more than 256 KiB)"), "{text}");
        assert!(text.len() < 10_000);
    }
    for code in [
        "while True:\n    pass",
        "import time; time.sleep(600)",
        "import signal, os\nfor n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\nwhile True:\n    pass",
        "import os\nos.close(1); os.close(2)\nwhile True:\n    pass",
    ] {
        let began = Instant::now();
        let text = ran(&house, code).await;
        assert_eq!(text, "(it was ended: it ran longer than 2 seconds)");
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    }
    none_is_left("/run/driver.py").await;
}

#[tokio::test]
async fn escape_other_processes() {
    let house = house(10).await;
    let me = std::process::id();
    let (trace, kill) = (format!("libc.ptrace(16, {me}, 0, 0)"), format!("os.kill({me}, 0)"));
    let found = tried(
        &house,
        "import os, ctypes\nlibc = ctypes.CDLL(None, use_errno=True)",
        &["os.getpid()", "os.getppid()", &trace, &kill, "os.kill(-1, 9)", "libc.process_vm_readv(1, 0, 0, 0, 0, 0)"],
    )
    .await;
    // The first process of its own world; nobody is above it, and there is nobody else to be killed.
    assert_eq!(found, ["done 1", "done 0", "done -1", "ProcessLookupError 3", "ProcessLookupError 3", "done -1"]);
    // A daemon ends with the program that left it behind.
    let daemon = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.close(1); os.close(2)\n        time.sleep(600)\n    os._exit(0)\nprint('left')";
    let began = Instant::now();
    assert_eq!(ran(&house, daemon).await, "output:\nleft");
    assert!(began.elapsed() < Duration::from_secs(5));
    none_is_left("/run/driver.py").await;
}

#[tokio::test]
async fn escape_by_what_is_left_behind() {
    let house = house(10).await;
    let code = "import os\nos.symlink('/etc/passwd', 'a.txt')\nos.symlink('../../../../etc/shadow', 'b.png')\nos.symlink('/', 'folder')\n\
                os.mkfifo('pipe')\nos.mkdir('dir')\nopen('dir/x', 'w').write('x')\nos.symlink('/dev/zero', 'zero')\n\
                open('locked', 'w').write('x'); os.chmod('locked', 0)\nopen('large', 'wb').write(bytes(3_000_000))\n\
                open('a\\nb', 'w').write('named')\nopen('good.txt', 'w').write('good')";
    let answered = house.answered("python", &json!({ "code": code }), Vec::new()).await;
    let names: Vec<&str> = answered
        .step
        .parts
        .iter()
        .filter_map(|part| if let ToolPart::File { name, .. } = part { Some(name.as_str()) } else { None })
        .collect();
    assert_eq!(names, ["a\nb", "good.txt"], "{}", answered.text);
    assert!(answered.text.contains("large: it has more than 2 MiB"), "{}", answered.text);
    assert!(answered.text.contains("a.txt: it is no file that can be read"), "{}", answered.text);
    let many = "for n in range(100):\n    open(f'{n:03}', 'w').write('x')";
    let answered = house.answered("python", &json!({ "code": many }), Vec::new()).await;
    assert_eq!(answered.step.parts.len(), 16);
    // A program cannot speak in the sandbox's own name: what it prints is text in a report.
    let said = ran(&house, "print('{\"type\":\"ran\",\"ended\":{\"exit\":0}}')").await;
    assert_eq!(said, "output:\n{\"type\":\"ran\",\"ended\":{\"exit\":0}}");
}

#[tokio::test]
async fn escape_secrets_of_the_environment() {
    let house = house(10).await;
    assert!(std::env::var("PATH").is_ok(), "this process has an environment");
    let keys = ran(&house, "import os; sorted(os.environ)").await;
    assert_eq!(
        keys,
        "output:\n['HOME', 'LANG', 'MKL_NUM_THREADS', 'MPLBACKEND', 'MPLCONFIGDIR', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'TMPDIR']"
    );
    assert_eq!(
        ran(&house, "import os, socket; print(os.getuid(), os.geteuid(), os.uname().nodename)").await,
        "output:\n65534 65534 sandbox"
    );
}

#[tokio::test]
async fn who_stops_waiting_ends_it() {
    let house = house(60).await;
    let code = json!({ "code": "import time\ntime.sleep(55)" });
    let call = house.answered("python", &code, Vec::new());
    assert!(tokio::time::timeout(Duration::from_secs(2), call).await.is_err());
    none_is_left("/run/driver.py").await;
}

#[tokio::test]
async fn without_its_permissions_or_a_sandbox_nothing_runs() {
    let house = house(10).await;
    let grants = |words: &[&str]| tools::Change {
        grants: Some(words.iter().map(|word| word.parse().expect("a permission")).collect()),
        ..tools::Change::default()
    };
    house.gateway.change(&house.admin, "python", grants(&["exec:code"])).await.expect("changed");
    let file = Attachment { name: "a.txt".into(), media_type: "text/plain".into(), bytes: "secret".into() };
    let code = json!({ "code": "import os; print(os.listdir('.')); open('b.txt', 'w').write('x')" });
    let answered = house.answered("python", &code, vec![file]).await;
    assert_eq!(
        answered.text,
        "output:\n[]\n1\n(the file \"b.txt\" is not given to the person: write:files was not granted)"
    );
    assert!(answered.step.parts.is_empty());
    house.gateway.change(&house.admin, "python", grants(&["read:files"])).await.expect("changed");
    let answered = house.answered("python", &code, Vec::new()).await;
    assert_eq!(answered.step.error.as_deref(), Some("not_permitted"));

    let bare = House::open().await;
    bare.install(order(preset("python"))).await;
    assert!(bare.call("python", &code).await.contains("this portal has no sandbox"));
    let lost = Sandbox::new(env!("CARGO_BIN_EXE_portico-sandbox"), &[], "/usr/bin/python-of-nowhere");
    let lost = House::on(Ground { sandbox: Some(lost), ..Ground::default() }).await;
    lost.install(order(preset("python"))).await;
    let text = lost.call("python", &code).await;
    assert!(text.contains("there is no Python at /usr/bin/python-of-nowhere: plugins.python names one"), "{text}");
}
