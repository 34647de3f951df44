//! The processes of this machine, as /proc shows them to whoever asks.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What the kernel keeps of a name, proc(5): `comm`.
const NAME_OCTETS_MAX: usize = 15;

/// How many processes run the program `process` with arguments that begin with `params`. A program
/// is known by its file name, by its path, or by the name that the kernel has for it, which is that
/// of a script, not of its interpreter. Zombies do not run; threads are not counted.
///
/// With a /proc that hides the processes of other users (`hidepid`), theirs are not seen.
///
/// # Errors
/// When there is no /proc.
pub fn count(process: &str, params: &[String]) -> io::Result<u32> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let is_process = entry.file_name().as_bytes().iter().all(u8::is_ascii_digit);
        // One that ends meanwhile is gone, and does not count.
        if is_process && runs(&entry.path(), process, params).unwrap_or(false) {
            count += 1;
        }
    }
    Ok(count)
}

fn runs(folder: &Path, process: &str, params: &[String]) -> io::Result<bool> {
    let line = fs::read(folder.join("cmdline"))?;
    // A zombie, or a thread of the kernel: it has no memory any more, and so no arguments.
    if line.is_empty() {
        return Ok(false);
    }
    let name = fs::read(folder.join("comm"))?;
    Ok(is_it(&line, &name, process, params))
}

/// Whether a command line (proc(5): arguments that end with a zero) or the kernel's name is what is
/// looked for.
fn is_it(line: &[u8], name: &[u8], process: &str, params: &[String]) -> bool {
    let wanted = process.as_bytes();
    let line = line.strip_suffix(b"\0").unwrap_or(line);
    let mut arguments = line.split(|octet| *octet == 0);
    let program = arguments.next().unwrap_or_default();
    let file_name = program.rsplit(|octet| *octet == b'/').next();
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    let is_named = name == wanted.get(..NAME_OCTETS_MAX).unwrap_or(wanted);
    let is_program = program == wanted || file_name == Some(wanted) || is_named;
    is_program
        && params
            .iter()
            .all(|param| arguments.next() == Some(param.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_program_is_known_by_its_names_and_its_first_arguments() {
        let java = b"/usr/bin/java\0-jar\0/opt/app.jar\0-x\0".as_slice();
        let script = b"/bin/sh\0/usr/local/bin/keep-an-eye-on-it\0".as_slice();
        // command line, the kernel's name, process, params, expected
        type Case<'a> = (&'a [u8], &'a [u8], &'a str, &'a [&'a str], bool);
        let cases: [Case<'_>; 13] = [
            (java, b"java\n", "java", &[], true),
            (java, b"main\n", "java", &[], true),
            (java, b"main\n", "main", &[], true),
            (java, b"java\n", "/usr/bin/java", &[], true),
            (java, b"java\n", "/usr/local/bin/java", &[], false),
            (java, b"java\n", "jav", &[], false),
            (java, b"java\n", "java", &["-jar"], true),
            (java, b"java\n", "java", &["-jar", "/opt/app.jar"], true),
            (java, b"java\n", "java", &["/opt/app.jar"], false),
            (java, b"java\n", "java", &["-jar", "/opt/app"], false),
            (script, b"keep-an-eye-on-\n", "keep-an-eye-on-it", &[], true),
            (script, b"keep-an-eye-on-\n", "keep-an-eye", &[], false),
            // it has written a title over its arguments
            (b"nginx: worker process", b"nginx\n", "nginx", &[], true),
        ];
        for (line, name, process, params, expected) in cases {
            let params: Vec<String> = params.iter().map(|&param| param.to_owned()).collect();
            let found = is_it(line, name, process, &params);
            assert_eq!(found, expected, "{process} {params:?}");
        }
    }

    #[test]
    fn a_zombie_does_not_run() {
        let mark = format!("evenkeel-test-{}", std::process::id());
        let line = ["-c".to_owned(), "echo; read line".to_owned(), mark];
        let mut child = Command::new("/bin/sh")
            .args(&line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It runs, and no longer is about to.
        let mut said = [0];
        child.stdout.take().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(count("sh", &line).unwrap(), 1);
        drop(child.stdin.take());
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let left_as_it_is = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(pid), left_as_it_is).unwrap();
        assert_eq!(count("sh", &line).unwrap(), 0);
        child.wait().unwrap();
    }
}
