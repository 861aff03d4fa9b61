//! Processes under measurement: started on a core of their own choosing, read through `/proc`,
//! ended when their owner drops them.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A process and its descendants on one core.
pub(crate) struct Pinned {
    child: Child,
}

impl Pinned {
    /// Starts `program` on `core`, with enough file descriptors for thousands of connections, to be
    /// ended by the kernel should this process die first.
    pub(crate) fn start(
        core: usize,
        program: &Path,
        arguments: &[String],
        stdout: Stdio,
    ) -> Result<Self> {
        let script = "ulimit -S -n 65536 2>/dev/null || ulimit -S -n \"$(ulimit -H -n)\"; \
                      exec setpriv --pdeathsig TERM taskset -c \"$0\" \"$@\"";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(core.to_string())
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { child })
    }

    /// Starts this very program in another role.
    pub(crate) fn start_self(core: usize, arguments: &[String]) -> Result<Self> {
        Self::start(core, &std::env::current_exe()?, arguments, Stdio::piped())
    }

    /// The exit status, if the process has ended already.
    pub(crate) fn ended(&mut self) -> Result<Option<String>> {
        Ok(self.child.try_wait()?.map(|status| status.to_string()))
    }

    /// What the process prints, line by line; `None` the second time.
    pub(crate) fn lines(&mut self) -> Option<BufReader<ChildStdout>> {
        self.child.stdout.take().map(BufReader::new)
    }

    /// Sends an empty line to the process: the word to begin.
    pub(crate) fn go(&mut self) -> Result<()> {
        let input = self.child.stdin.as_mut().context("no way to tell it")?;
        input.write_all(b"\n")?;
        Ok(input.flush()?)
    }

    /// The process and all its descendants.
    pub(crate) fn tree(&self) -> Vec<u32> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (pid, parent) in processes() {
            children.entry(parent).or_default().push(pid);
        }
        let mut tree = vec![self.child.id()];
        let mut next = 0;
        while next < tree.len() {
            tree.extend(children.remove(&tree[next]).unwrap_or_default());
            next += 1;
        }
        tree
    }

    /// CPU time of all threads of the tree since they began, in the scheduler's nanoseconds.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = self
            .tree()
            .into_iter()
            .flat_map(|pid| entries(&format!("/proc/{pid}/task")));
        let nanoseconds = threads
            .filter_map(|thread| fs::read_to_string(thread.join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
            .sum();
        Duration::from_nanos(nanoseconds)
    }

    /// Resident memory of the tree in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let kib = |pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        self.tree().into_iter().filter_map(kib).sum::<u64>() * 1024
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // A master that is killed leaves its workers behind: ask first.
        let tree = self.tree();
        let _ = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\" 2>/dev/null"])
            .arg(self.child.id().to_string())
            .status();
        let deadline = Instant::now() + Duration::from_secs(3);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                eprintln!("processes {tree:?} did not end when asked");
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Reads lines until one is `word`; fails with what came if the process ends before.
pub(crate) fn wait_for(word: &str, lines: &mut impl BufRead) -> Result<()> {
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if line.trim() == word {
            return Ok(());
        }
        line.clear();
    }
    bail!("it ended before it said `{word}`")
}

/// Where a program is, looking into the system's folders too, which are not in every user's `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin".into(), "/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn processes() -> impl Iterator<Item = (u32, u32)> {
    entries("/proc").into_iter().filter_map(|folder| {
        let pid = folder.file_name()?.to_str()?.parse().ok()?;
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // pid (name, which may hold anything) state parent ...
        let (_, after_name) = stat.rsplit_once(')')?;
        Some((pid, after_name.split_whitespace().nth(1)?.parse().ok()?))
    })
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten();
    read.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
