//! The tools that read such files, each started once for many: cfn-lint, a parser of HCL, and the shells' own.

use super::*;

fn tool(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make tools` in the folder of the workspace", path.display());
    Command::new(path)
}

/// Prints, for each module, what it defines: the kind and the name of each block.
const PARSE: &str = r#"
import json, pathlib, sys
import hcl2

defined = {}
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.tf")):
    found = hcl2.loads(path.read_text(encoding="ascii"))
    addresses = []
    for group in ("resource", "data"):
        for block in found.pop(group, []):
            for kind, named in block.items():
                addresses += [f"{group}.{kind}.{name}".replace('"', "") for name in named]
    found.pop("__comments__", None)
    assert not found and addresses, (path, found)
    defined.setdefault(path.parent.name, []).extend(addresses)
print(json.dumps(defined))
"#;

/// Every module of a folder parses, and defines nothing twice. Gives back what each of them defines.
pub fn terraform(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let output = tool("python3").args(["-c", PARSE]).arg(folder).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let defined: BTreeMap<String, Vec<String>> = serde_json::from_slice(&output.stdout).expect("JSON");
    for (module, addresses) in &defined {
        let mut once = addresses.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), addresses.len(), "{module} defines something twice: {addresses:#?}");
    }
    defined
}

pub fn cloudformation(folder: &Path) {
    let templates = tree(folder).into_keys().filter(|name| name.ends_with(".yaml")).map(|name| folder.join(name));
    let output = tool("cfn-lint").args(templates).output().expect("cfn-lint runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

pub fn shell(folder: &Path) {
    for name in tree(folder).keys().filter(|name| name.ends_with(".sh")) {
        for shell in ["sh", "bash"] {
            let output = Command::new(shell).arg("-n").arg(folder.join(name)).output().expect("a shell");
            assert!(output.status.success() && output.stderr.is_empty(), "{shell} {name}: {output:?}");
        }
    }
}
