//! The BPF program that walks through the descriptors of all processes, in a fifth of the time that
//! it takes to read them from procfs where there are many.

use super::record::{IteratorRecord, SIZE, SocketDescriptor, Target};
use crate::bpf;
use crate::error::BpfError;
use crate::model::process::Inodes;
use aya::programs::{Iter, ProgramError};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use std::io::{self, Read};

const OBJECT: &[u8] = include_bytes_aligned!("../../bpf/owners.bpf.o");
const PROGRAM: &str = "holders";
/// As much as the kernel hands out at once.
const PORTION: usize = 64 << 10;

/// The program, loaded.
pub(super) struct Iterator(Ebpf);

/// The descriptors of the wanted sockets, and of all that may hold them.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    pub(super) all: Vec<SocketDescriptor>,
    /// No process is left out: the reader is in the initial pid namespace.
    pub(super) has_all: bool,
}

impl std::fmt::Debug for Iterator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Iterator")
    }
}

impl Iterator {
    /// Loads the program into the kernel.
    ///
    /// # Errors
    /// What the kernel lacks or denies.
    pub(super) fn load() -> Result<Self, BpfError> {
        let loaded = bpf::load(|types| {
            let mut loader = EbpfLoader::new();
            let loader = loader.btf(Some(types)).verifier_log_level(bpf::VERIFIER_LOG);
            let mut ebpf = loader.load(OBJECT)?;
            program(&mut ebpf)?.load("task_file", types)?;
            Ok(ebpf)
        });
        let mut iterator = Self(loaded?);
        // The kernel checks some permissions only now.
        iterator.open().map_err(BpfError::Iterator)?;
        Ok(iterator)
    }

    /// Walks through the processes once, for descriptors of these sockets.
    ///
    /// # Errors
    /// The kernel lacks memory or descriptors for it.
    pub(super) fn walk(&mut self, wanted: &Inodes) -> io::Result<Descriptors> {
        let mut file = self.open()?;
        let mut found = Descriptors::default();
        let mut buffer = vec![0; PORTION];
        let mut filled = 0;
        loop {
            let read = match file.read(&mut buffer[filled..]) {
                Ok(0) => return Ok(found),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            filled += read;
            let (records, rest) = buffer[..filled].as_chunks::<SIZE>();
            for record in records.iter().filter_map(IteratorRecord::parse) {
                match record {
                    IteratorRecord::Descriptor(descriptor) => match descriptor.target {
                        Target::Socket(inode) if !wanted.contains(&inode) => {}
                        _ => found.all.push(descriptor),
                    },
                    IteratorRecord::End { has_all } => found.has_all = has_all,
                }
            }
            let done = filled - rest.len();
            buffer.copy_within(done..filled, 0);
            filled -= done;
        }
    }

    fn open(&mut self) -> io::Result<std::fs::File> {
        let attached = program(&mut self.0).and_then(|program| {
            let id = program.attach()?;
            program.take_link(id)
        });
        let link = attached.map_err(|error| bpf::kernel_error(&error))?;
        link.into_file().map_err(|error| bpf::kernel_error(&error))
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Iter, ProgramError> {
    ebpf.program_mut(PROGRAM).ok_or(ProgramError::UnexpectedProgramType)?.try_into()
}
