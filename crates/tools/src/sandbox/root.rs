//! The file system of a sandbox: empty, but for what an interpreter needs, which nobody can change; and a folder of memory to work
//! in. Nothing in it leads out: what is brought out at the end is read without following a link.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat, openat, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::wire::File;
use super::{LEFT_ALL, LEFT_FILES, LEFT_ONE, SCRATCH};

/// Where the program works, and where its files lie.
pub(super) const WORK: &str = "/work";

/// What an interpreter of the system's own needs beside itself: libraries, and data that is the same on every machine.
const SYSTEM: [&str; 16] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/fonts",
    "/usr/share/fontconfig",
    "/usr/share/matplotlib",
    "/usr/share/zoneinfo",
    "/usr/share/python3",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/matplotlibrc",
];

/// How many links may lead to an interpreter.
const LINKS: usize = 8;

const DEVICES: [&str; 4] = ["null", "zero", "random", "urandom"];

/// Builds it and moves into it; the old one is out of reach from then on.
pub(super) fn build(interpreter: &Path, texts: &[(String, String)], files: &[File]) -> std::io::Result<()> {
    // A place that every system has, and no interpreter lies in.
    let base = Path::new("/sys");
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    tmpfs(base, 4 << 20, MountFlags::NOSUID | MountFlags::NODEV)?;
    for place in SYSTEM.iter().map(PathBuf::from).chain(of_interpreter(interpreter)?) {
        show(base, &place)?;
    }
    for device in DEVICES {
        let (from, to) = (Path::new("/dev").join(device), base.join("dev").join(device));
        fs::create_dir_all(base.join("dev"))?;
        fs::write(&to, "")?;
        mount_bind(&from, &to)?;
    }
    fs::create_dir(base.join("run"))?;
    for (name, text) in texts {
        fs::write(base.join("run").join(name), text)?;
    }
    // One bound for both folders that can be written.
    let scratch = base.join("scratch");
    fs::create_dir(&scratch)?;
    tmpfs(&scratch, SCRATCH, MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC)?;
    for folder in ["work", "tmp"] {
        fs::DirBuilder::new().mode(0o700).create(scratch.join(folder))?;
        fs::create_dir(base.join(folder))?;
        mount_bind(scratch.join(folder), base.join(folder))?;
    }
    for file in files {
        fs::write(base.join("work").join(&file.name), &file.bytes)?;
    }
    chdir(base)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    unmount("/scratch", UnmountFlags::DETACH)?;
    fs::remove_dir("/scratch")?;
    mount_remount("/", MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV, "")?;
    Ok(chdir("/")?)
}

fn tmpfs(at: &Path, size: u64, flags: MountFlags) -> std::io::Result<()> {
    let options = std::ffi::CString::new(format!("size={size},nr_inodes=16384,mode=755"))?;
    Ok(mount("tmpfs", at, "tmpfs", flags, Some(options.as_c_str()))?)
}

/// Where an interpreter and its own libraries lie. Of the system's own that is its program alone; of another (a virtual environment,
/// one that was built here) `bin`, `lib` and its settings, there and where it really lies.
fn of_interpreter(interpreter: &Path) -> std::io::Result<Vec<PathBuf>> {
    // Every link on the way is needed, too.
    let mut programs = vec![interpreter.to_owned()];
    let mut program = interpreter.to_owned();
    while let Ok(to) = fs::read_link(&program) {
        program = program.parent().unwrap_or(Path::new("/")).join(to);
        programs.push(program.clone());
        if programs.len() > LINKS {
            return Err(std::io::Error::other("the interpreter is a link that leads to itself"));
        }
    }
    programs.push(fs::canonicalize(interpreter)?);
    let own = ["/dev", "/run", "/tmp", WORK];
    if programs.iter().any(|program| own.iter().any(|own| program.starts_with(own))) {
        return Err(std::io::Error::other(format!("the interpreter must not lie in any of {}", own.join(", "))));
    }
    let mut places = Vec::new();
    for program in programs {
        match program.parent().and_then(Path::parent) {
            Some(prefix) if prefix != Path::new("/usr") && prefix != Path::new("/") => {
                places.extend(["bin", "lib", "lib64", "pyvenv.cfg"].map(|part| prefix.join(part)));
            }
            _ => places.push(program),
        }
    }
    Ok(places)
}

/// Makes a place of this machine visible at the same path, as it is and unchangeable. One that is not there is left out.
fn show(base: &Path, place: &Path) -> std::io::Result<()> {
    let Ok(about) = fs::symlink_metadata(place) else { return Ok(()) };
    let to = base.join(place.strip_prefix("/").unwrap_or(place));
    if fs::symlink_metadata(&to).is_ok() {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if about.is_symlink() {
        return symlink(fs::read_link(place)?, to);
    }
    if about.is_dir() {
        fs::create_dir(&to)?;
        mount_bind_recursive(place, &to)?;
    } else {
        fs::write(&to, "")?;
        mount_bind(place, &to)?;
    }
    // What was so before must stay so: the kernel refuses to loosen it.
    let noexec = statvfs(&to)?.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC);
    let kept = if noexec { MountFlags::NOEXEC } else { MountFlags::empty() };
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | kept;
    Ok(mount_remount(&to, flags, "")?)
}

/// The regular files of the work folder that are new or changed; what was left out is told. Whatever was made there runs no more.
pub(super) fn left_behind(given: &[File]) -> (Vec<File>, Vec<String>) {
    let (mut files, mut left, mut all) = (Vec::new(), Vec::new(), 0);
    let Ok(folder) = fs::File::open(WORK) else { return (files, left) };
    let mut names: Vec<String> = fs::read_dir(WORK)
        .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.sort();
    for name in names {
        match read(&folder, &name) {
            Ok(bytes) if given.iter().any(|file| file.name == name && file.bytes == bytes) => {}
            Ok(_) if files.len() == LEFT_FILES => {
                left.push(format!("{} and what follows: at most {LEFT_FILES} files come back", name.escape_debug()));
                break;
            }
            Ok(bytes) if all + bytes.len() > LEFT_ALL => {
                left.push(format!("{}: all files together have more than {} MiB", name.escape_debug(), LEFT_ALL >> 20));
            }
            Ok(bytes) => {
                all += bytes.len();
                files.push(File { name, bytes });
            }
            Err(reason) => left.push(format!("{}: {reason}", name.escape_debug())),
        }
    }
    (files, left)
}

fn read(folder: &fs::File, name: &str) -> Result<Vec<u8>, String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty()).map_err(|_| "it is no file that can be read".to_owned())?;
    let about = fstat(&file).map_err(|error| error.to_string())?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return Err("it is no file".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::from(file).take(LEFT_ONE as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > LEFT_ONE {
        return Err(format!("it has more than {} MiB", LEFT_ONE >> 20));
    }
    Ok(bytes)
}
