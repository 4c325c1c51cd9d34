//! Readers of untrusted files: random bytes and damaged files never panic and never take much memory.

mod cli_support;
mod counting;

use std::{io::Write, path::Path};

use cli_support::{Desk, doubles, npy, npz};
use counting::{alone, peak};
use proptest::prelude::*;
use ufm::metrics::{Container, Convention, Features, Layout, measure};

const MIB: usize = 1 << 20;
/// Buffers of fixed size, a megabyte each, for files of a few kilobytes.
const SMALL_FILE: usize = 16 * MIB;
const K: usize = 3;
const N: usize = 12;
const D: usize = 5;

/// Everything that is done with a file, in both layouts.
fn use_file(path: &Path) {
    let Ok(container) = Container::open(path) else { return };
    let labels: Vec<u32> = (0..N as u32).map(|i| i % K as u32).collect();
    for array in container.arrays() {
        let _ = array.to_labels();
        let _ = array.to_rows();
        for layout in [Layout::SamplesByDim, Layout::DimBySamples] {
            if let Ok(features) = Features::from_array(array.clone(), layout) {
                let _ = measure(&features, &labels, None, Convention::Zhu, &|_, _| ());
            }
        }
    }
}

fn feature(i: usize, j: usize) -> f64 {
    f64::from(u8::from(i % K == j)) + 0.125 * ((1 + i * 7 + j * 3) as f64).sin()
}

fn labels() -> Vec<u8> {
    npy("<i2", false, &format!("({N},)"), &(0..N).flat_map(|i| ((i % K) as i16).to_le_bytes()).collect::<Vec<u8>>())
}

fn tensors(dtype: &str, width: usize) -> Vec<u8> {
    let header = format!(
        "{{\"__metadata__\":{{\"format\":\"pt\"}},\"h\":{{\"dtype\":\"{dtype}\",\"shape\":[{N},{D}],\"data_offsets\":[0,{}]}}}}",
        N * D * width
    );
    let data: Vec<u8> = (0..N * D * width).map(|t| (t * 37 % 100) as u8).collect();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

fn deflated() -> Vec<u8> {
    use npyz::zip::{CompressionMethod, ZipWriter, write::FileOptions};
    let mut zip = ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, bytes) in [("features", doubles(N, D, true, feature)), ("labels", labels())] {
        zip.start_file(format!("{name}.npy"), FileOptions::default().compression_method(CompressionMethod::Deflated)).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A good file of each kind.
fn valid(kind: usize) -> (&'static str, Vec<u8>) {
    match kind {
        0 => ("f.npz", npz(&[("features", doubles(N, D, false, feature)), ("labels", labels())])),
        1 => ("f.npz", deflated()),
        2 => ("f.npy", doubles(N, D, true, feature)),
        3 => ("f.npy", npy(">f4", false, &format!("({N}, {D})"), &[63; 4 * N * D])),
        4 => ("f.safetensors", tensors("F64", 8)),
        5 => ("f.safetensors", tensors("BF16", 2)),
        _ => ("f.csv", (0..N).map(|i| format!("{},{},{}\n", feature(i, 0), feature(i, 1), i)).collect::<String>().into_bytes()),
    }
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Damage {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    /// Eight bytes become a number that lengths and offsets may not be.
    Number(prop::sample::Index, u64),
    Cut(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let number = prop_oneof![Just(u64::MAX), Just(1 << 63), Just((1 << 32) - 1), Just(1 << 40), any::<u64>()];
    prop_oneof![
        4 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (any::<prop::sample::Index>(), prop::collection::vec(prop_oneof![Just(b'9'), Just(b','), Just(b'('), any::<u8>()], 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (any::<prop::sample::Index>(), 1usize..40).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => (any::<prop::sample::Index>(), number).prop_map(|(at, number)| Damage::Number(at, number)),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
    ]
}

impl Damage {
    /// `near`: within the first bytes, where headers are, or the last, where directories are.
    fn apply(&self, bytes: &mut Vec<u8>, place: u8) {
        let at = |index: &prop::sample::Index, len: usize| match place % 3 {
            0 => index.index(len.clamp(1, 160)).min(len),
            1 => len - index.index(len.clamp(1, 240)).min(len),
            _ => index.index(len.max(1)),
        };
        let len = bytes.len();
        match self {
            Damage::Set(index, byte) if len > 0 => {
                let at = at(index, len).min(len - 1);
                bytes[at] = *byte;
            }
            Damage::Insert(index, more) => {
                let at = at(index, len).min(len);
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Remove(index, count) if len > 0 => {
                let at = at(index, len).min(len);
                bytes.drain(at..(at + count).min(len));
            }
            Damage::Number(index, number) if len >= 8 => {
                let at = at(index, len).min(len - 8);
                bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            }
            Damage::Cut(index) if len > 0 => bytes.truncate(index.index(len)),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn damaged_files(kind in 0usize..7, damages in prop::collection::vec((damage(), any::<u8>()), 1..5)) {
        let (name, mut bytes) = valid(kind);
        damages.iter().for_each(|(damage, place)| damage.apply(&mut bytes, *place));
        let desk = Desk::new();
        desk.file(name, &bytes);
        let path = desk.path(name);
        let peak = peak(&alone(), || use_file(&path)).1;
        prop_assert!(peak <= SMALL_FILE, "{} MiB for {} bytes", peak / MIB, bytes.len());
    }

    #[test]
    fn random_bytes(magic in 0usize..6, extension in 0usize..4, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let magic: &[u8] = [&b""[..], b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00\x00\x10\x00\x00", b"PK\x03\x04", b"PK\x05\x06", b"\x40\0\0\0\0\0\0\0{"][magic];
        let desk = Desk::new();
        let name = ["f.npy", "f.npz", "f.safetensors", "f.csv"][extension];
        desk.file(name, [magic, &bytes].concat());
        let path = desk.path(name);
        let peak = peak(&alone(), || use_file(&path)).1;
        prop_assert!(peak <= SMALL_FILE, "{} MiB", peak / MIB);
    }
}

#[test]
fn undamaged_files_are_read() {
    for kind in 0..7 {
        let (name, bytes) = valid(kind);
        let desk = Desk::new();
        desk.file(name, bytes);
        let container = Container::open(&desk.path(name)).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert!(container.arrays().iter().any(|a| a.shape().len() == 2 && a.is_float()), "{kind}");
    }
}

/// Headers as long as they may be, filled with what takes the most memory.
#[test]
fn gigantic_headers() {
    let alone = alone();
    let desk = Desk::new();
    let within = 15 << 20;
    let shape = "0,".repeat(within / 2);
    let sizes = format!("{{\"h\":{{\"dtype\":\"F32\",\"shape\":[{}0],\"data_offsets\":[0,0]}}}}", shape);
    let nested = format!("{{\"h\":{}{}}}", "[".repeat(within / 2), "]".repeat(within / 2));
    let many: String = (0..within / 60).map(|i| format!("\"t{i:07}\":{{\"dtype\":\"F8\",\"shape\":[],\"data_offsets\":[0,0]}},")).collect();
    let many = format!("{{{}}}", many.trim_end_matches(','));
    for (name, header) in [("sizes", sizes), ("nested", nested), ("many", many)] {
        assert!(header.len() <= 16 << 20);
        let file = format!("{name}.safetensors");
        desk.file(&file, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat());
        let path = desk.path(&file);
        let peak = peak(&alone, || use_file(&path)).1;
        assert!(peak <= 16 * (16 << 20), "{name}: {} MiB", peak / MIB);
    }
    // One byte beyond, and lengths beyond the file: nothing is read.
    for length in [(16u64 << 20) + 1, 1 << 40, u64::MAX] {
        desk.file("long.safetensors", [&length.to_le_bytes()[..], &vec![b' '; 17 << 20]].concat());
        let path = desk.path("long.safetensors");
        let peak = peak(&alone, || assert!(Container::open(&path).is_err())).1;
        assert!(peak <= MIB, "{peak}");
    }
}
