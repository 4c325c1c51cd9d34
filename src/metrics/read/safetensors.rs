//! Headers of safetensors files: a length, a JSON object, then the tensors' bytes.

use std::{collections::HashSet, fs::File, os::unix::fs::FileExt, path::Path, sync::Arc};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::{
    FeatureError,
    array::{Array, Element, Storage},
};

/// Longest header accepted, in bytes: a hundred thousand tensors.
const MAX_HEADER: u64 = 16 << 20;

/// One tensor's entry in the header.
#[derive(serde::Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The header's tensors in order; its metadata is passed over without being stored.
struct Header(Vec<(String, Tensor)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tensors;
        impl<'de> Visitor<'de> for Tensors {
            type Value = Header;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut tensors = vec![];
                let mut names = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format!("`{name}` is there twice")));
                    }
                    let tensor = map.next_value()?;
                    tensors.push((name, tensor));
                }
                Ok(Header(tensors))
            }
        }
        deserializer.deserialize_map(Tensors)
    }
}

/// The tensors of a file.
pub(super) fn open(path: &Path, file: File, length: u64) -> Result<Vec<Array>, FeatureError> {
    let refuse = |reason: String| FeatureError::File { path: path.display().to_string(), reason };
    let truncated = |_| refuse("truncated: not a whole safetensors header".into());
    let mut size = [0; 8];
    file.read_exact_at(&mut size, 0).map_err(truncated)?;
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER || size > length - 8 {
        return Err(refuse(format!("a safetensors header of {size} bytes in a file of {length}; at most {MAX_HEADER} are allowed")));
    }
    let mut text = vec![0; size as usize];
    file.read_exact_at(&mut text, 8).map_err(truncated)?;
    let header: Header = serde_json::from_slice(&text).map_err(|e| refuse(format!("its safetensors header is malformed ({e})")))?;
    let (start, file) = (8 + size, Arc::new(file));
    let mut arrays = vec![];
    for (name, Tensor { dtype, shape, data_offsets: [from, to] }) in header.0 {
        let bad = |reason: String| FeatureError::Array { path: path.display().to_string(), name: name.clone(), reason };
        let element = match dtype.as_str() {
            "F64" => Element::new('f', 8, false),
            "F32" => Element::new('f', 4, false),
            "F16" => Element::new('f', 2, false),
            "BF16" => Element::new('b', 2, false),
            "I64" => Element::new('i', 8, false),
            "I32" => Element::new('i', 4, false),
            "I16" => Element::new('i', 2, false),
            "I8" => Element::new('i', 1, false),
            "U64" => Element::new('u', 8, false),
            "U32" => Element::new('u', 4, false),
            "U16" => Element::new('u', 2, false),
            "U8" => Element::new('u', 1, false),
            _ => None,
        };
        // A model's file may hold tensors of other types beside the ones asked for.
        let Some(element) = element else { continue };
        if from > to || to > length - start {
            return Err(bad(format!("truncated: its bytes {from} to {to} reach beyond the file")));
        }
        let storage = Storage::File { file: Arc::clone(&file), offset: start + from };
        let array = Array { path: path.into(), name: name.clone(), shape, row_major: true, element, storage };
        arrays.push(array.check_length(to - from)?);
    }
    Ok(arrays)
}
