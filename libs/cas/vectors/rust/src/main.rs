//! Prints ../fastcdc.json: where the Rust crate `fastcdc`, module `v2020`, cuts inputs that anybody can make again.

use sha2::{Digest, Sha256};

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

#[derive(Clone, Copy)]
struct Plan {
    minimum: usize,
    average: usize,
    maximum: usize,
    normalization: u8,
    seed: u64,
}

/// The Remote Execution API's plan for an average size.
const fn standard(average: usize) -> Plan {
    Plan { minimum: average / 4, average, maximum: average * 4, normalization: 2, seed: 0 }
}

const fn sized(minimum: usize, average: usize, maximum: usize) -> Plan {
    Plan { minimum, average, maximum, normalization: 2, seed: 0 }
}

fn main() {
    let mut cases = Vec::new();
    for (input, length) in
        [("random", 8 * MIB + 1), ("letters", 6 * MIB + 2), ("zeros", 5 * MIB + 3), ("counting", 5 * MIB)]
    {
        cases.push(listed(input, length, standard(512 * KIB)));
    }
    cases.push(digested("random", 48 * MIB + 5, standard(512 * KIB)));
    for average in [64 * KIB, 16 * KIB, KIB] {
        cases.push(listed("random", 100 * average + 7, standard(average)));
        cases.push(listed("letters", 20 * average + 1, standard(average)));
        cases.push(digested("random", 16 * MIB + 3, standard(average)));
    }
    for normalization in 0..=3 {
        for seed in [0, 666, u64::MAX] {
            cases.push(listed("random", 50 * 16 * KIB, Plan { normalization, seed, ..standard(16 * KIB) }));
            cases.push(digested("random", 4 * MIB + 1, Plan { normalization, seed, ..standard(KIB) }));
            cases.push(digested("random", 32 * MIB + 1, Plan { normalization, seed, ..standard(512 * KIB) }));
        }
    }
    let unusual = [
        sized(1001, 4097, 16383),
        sized(1000, 4096, 16383),
        sized(1001, 4096, 16384),
        sized(65, 1025, 1027),
        sized(64, 1024, 1024),
        sized(1025, 1025, 1025),
        sized(1023, 1024, 4096),
        sized(362, 1448, 5792),
        sized(362, 1449, 5796),
        sized(6000, 24000, 96000),
        sized(99, 65_537, 1_000_001),
    ];
    for plan in unusual {
        cases.push(listed("random", 40 * plan.average + 11, plan));
        cases.push(digested("letters", 2 * MIB + 1, plan));
        cases.push(listed("zeros", 3 * plan.maximum + 1, plan));
    }
    // Enough blocks that some end at the very first place an odd minimum allows, one byte below it.
    cases.push(digested("random", 16 * MIB, Plan { normalization: 0, ..sized(257, KIB, 4095) }));
    cases.push(digested("random", 48 * MIB, sized(2 * MIB, 4 * MIB, 16 * MIB)));
    cases.push(digested("random", 48 * MIB, sized(MIB + 1, 4 * MIB - 1, 16 * MIB - 1)));
    for plan in [standard(KIB), sized(257, 1025, 4097), sized(64, 1448, 1449)] {
        for input in ["random", "letters", "zeros"] {
            cases.push(swept(input, 4 * KIB + 300, plan));
        }
    }
    println!("{{\n  \"gear\": [{}],\n  \"cases\": [\n    {}\n  ]\n}}", gear(), cases.join(",\n    "));
}

/// A case that tells every block's length.
fn listed(input: &str, length: usize, plan: Plan) -> String {
    let lengths: Vec<String> = cut(&make(input, length), plan).iter().map(usize::to_string).collect();
    case(input, length, plan, &format!("\"blocks\": [{}]", lengths.join(", ")))
}

/// A case that tells the number of blocks, and the SHA-256 of their lengths as little-endian 32-bit numbers.
fn digested(input: &str, length: usize, plan: Plan) -> String {
    case(input, length, plan, &digest(&cut(&make(input, length), plan)))
}

/// As `digested`, for the blocks of the first 0, 1, 2 … `length` bytes of the input, one list after the other.
fn swept(input: &str, length: usize, plan: Plan) -> String {
    let bytes = make(input, length);
    let lengths: Vec<usize> = (0..=length).flat_map(|end| cut(&bytes[..end], plan)).collect();
    case(input, length, plan, &format!("\"sweep\": true, {}", digest(&lengths)))
}

fn case(input: &str, length: usize, plan: Plan, outcome: &str) -> String {
    let Plan { minimum, average, maximum, normalization, seed } = plan;
    format!(
        "{{ \"input\": \"{input}\", \"length\": {length}, \"averageBytes\": {average}, \"minimumBytes\": {minimum}, \
         \"maximumBytes\": {maximum}, \"normalization\": {normalization}, \"seed\": \"{seed}\", {outcome} }}"
    )
}

fn digest(lengths: &[usize]) -> String {
    let mut hasher = Sha256::new();
    for &length in lengths {
        hasher.update((length as u32).to_le_bytes());
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"count\": {}, \"sha256\": \"{hex}\"", lengths.len())
}

fn make(input: &str, length: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    match input {
        "random" => {
            let mut bytes: Vec<u8> = (0..length.div_ceil(4)).flat_map(|_| next().to_le_bytes()).collect();
            bytes.truncate(length);
            bytes
        }
        "letters" => (0..length).map(|_| b'a' + (next() >> 28) as u8).collect(),
        "counting" => (0..length).map(|at| (at % 251) as u8).collect(),
        _ => vec![0; length],
    }
}

fn cut(bytes: &[u8], plan: Plan) -> Vec<usize> {
    let Plan { minimum, average, maximum, seed, .. } = plan;
    let level = match plan.normalization {
        0 => fastcdc::v2020::Normalization::Level0,
        1 => fastcdc::v2020::Normalization::Level1,
        2 => fastcdc::v2020::Normalization::Level2,
        _ => fastcdc::v2020::Normalization::Level3,
    };
    let lengths: Vec<usize> =
        fastcdc::v2020::FastCDC::with_level_and_seed(bytes, minimum, average, maximum, level, seed)
            .map(|chunk| chunk.length)
            .collect();
    if minimum <= fastcdc3::v2020::MINIMUM_MAX as usize {
        assert_eq!(lengths, cut3(bytes, plan), "versions 3.2.1 and 5.0.0 differ");
    }
    lengths
}

fn cut3(bytes: &[u8], plan: Plan) -> Vec<usize> {
    let level = match plan.normalization {
        0 => fastcdc3::v2020::Normalization::Level0,
        1 => fastcdc3::v2020::Normalization::Level1,
        2 => fastcdc3::v2020::Normalization::Level2,
        _ => fastcdc3::v2020::Normalization::Level3,
    };
    let Plan { minimum, average, maximum, seed, .. } = plan;
    fastcdc3::v2020::FastCDC::with_level_and_seed(bytes, minimum as u32, average as u32, maximum as u32, level, seed)
        .map(|chunk| chunk.length)
        .collect()
}

/// The table that both versions use.
fn gear() -> String {
    let (table, _) = fastcdc::v2020::get_gear_with_seed(0);
    let (table3, _) = fastcdc3::v2020::get_gear_with_seed(0);
    assert_eq!(&table[..], &table3[..], "versions 3.2.1 and 5.0.0 differ");
    let entries: Vec<String> = table.iter().map(|entry| format!("\"{entry:016x}\"")).collect();
    entries.join(", ")
}
