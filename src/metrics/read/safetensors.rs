//! Headers of safetensors files: a length, a JSON object, then the tensors' bytes.

use std::{fs::File, os::unix::fs::FileExt, path::Path, sync::Arc};

use serde_json::Value;

use super::{
    FeatureError,
    array::{Array, Element, Storage},
};

/// Longest header accepted, in bytes: a hundred thousand tensors.
const MAX_HEADER: u64 = 16 << 20;

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
    let header: Value = serde_json::from_slice(&text).map_err(|e| refuse(format!("its safetensors header is malformed ({e})")))?;
    let Value::Object(entries) = header else { return Err(refuse("its safetensors header is no JSON object".into())) };
    let (start, file) = (8 + size, Arc::new(file));
    let mut arrays = vec![];
    for (name, entry) in entries {
        if name == "__metadata__" {
            continue;
        }
        let bad = |reason: String| FeatureError::Array { path: path.display().to_string(), name: name.clone(), reason };
        let dtype = entry["dtype"].as_str().ok_or_else(|| bad("no dtype".into()))?;
        let numbers = |key: &str| -> Result<Vec<u64>, FeatureError> {
            let list = entry[key].as_array().and_then(|list| list.iter().map(Value::as_u64).collect());
            list.ok_or_else(|| bad(format!("`{key}` is not a list of sizes")))
        };
        let (shape, range) = (numbers("shape")?, numbers("data_offsets")?);
        let element = match dtype {
            "F64" => Element::new('f', 8, false),
            "F32" => Element::new('f', 4, false),
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
        // A model's file may hold half-precision tensors beside the ones asked for.
        let Some(element) = element else { continue };
        let &[from, to] = &range[..] else { return Err(bad("`data_offsets` are not two".into())) };
        if from > to || to > length - start {
            return Err(bad(format!("truncated: its bytes {from} to {to} reach beyond the file")));
        }
        let storage = Storage::File { file: Arc::clone(&file), offset: start + from };
        let array = Array { path: path.into(), name: name.clone(), shape, row_major: true, element, storage };
        arrays.push(array.check_length(to - from)?);
    }
    Ok(arrays)
}
