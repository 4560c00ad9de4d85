//! A confined process, by itself: the test is alone in its binary, since what is given up does not come back.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};

use documents::{Confined, confine, limits};
use rustix::process::{Resource, getrlimit};

#[test]
fn a_confined_process_opens_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let how = confine(0).expect("limits");
    for (resource, most) in [
        (Resource::As, limits::MEMORY),
        (Resource::Cpu, limits::CPU.as_secs()),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        (Resource::Core, 0),
    ] {
        let limit = getrlimit(resource);
        assert!(limit.maximum.is_some_and(|hard| hard <= most), "{resource:?}: {limit:?}");
        assert_eq!(limit.current, limit.maximum);
    }
    // More memory than the limit is refused, not taken.
    let mut much: Vec<u8> = Vec::new();
    assert!(much.try_reserve_exact(limits::MEMORY as usize).is_err());
    if how == Confined::LimitsOnly {
        eprintln!("this kernel has no Landlock: only the limits are tested");
        return;
    }
    assert_eq!(File::open("/etc/passwd").expect_err("no file").kind(), ErrorKind::PermissionDenied);
    assert_eq!(File::create("/tmp/confined").expect_err("no file").kind(), ErrorKind::PermissionDenied);
    if how == Confined::Wholly {
        assert_eq!(TcpStream::connect(address).expect_err("no connection").kind(), ErrorKind::PermissionDenied);
    }
}
