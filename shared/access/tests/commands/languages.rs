//! Templates and modules, read by tools that are not ours: cfn-lint, PyYAML, python-hcl2. They start slowly, so each is
//! started once, for a folder of documents.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::*;

/// Parses every document of a folder and prints what it found. Terraform: blocks with their heads, attributes and inner
/// blocks; texts as Terraform's language defines their escapes; a reference or a call as a map of one key.
const PARSE: &str = r##"
import json, pathlib, re, sys
import hcl2, yaml

SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}

def text(parts):
    def one(match):
        found = match.group()
        if found[0] != "\\":
            return found[0] + "{"
        return chr(int(found[2:], 16)) if found[1] in "uU" else SIMPLE[found[1]]
    whole = "".join(parts)
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", whole), whole
    return re.sub(r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\.|\$\$\{|%%\{", one, whole, flags=re.S)

def words(tree):
    return "".join(str(token) for token in tree.scan_values(lambda _: True))

def nodes(tree):
    return [child for child in tree.children if hasattr(child, "data") and child.data != "new_line_or_comment"]

def value(tree):
    kind, children = str(tree.data), nodes(tree)
    if kind == "expr_term" and len(children) == 1:
        return value(children[0])
    if kind == "string":
        assert all(child.data == "string_part" for child in children), tree
        return text(words(child) for child in children)
    if kind == "tuple":
        return [value(child) for child in children]
    if kind == "object":
        found = {}
        for element in children:
            key, of = nodes(element)
            key = nodes(key)[0]
            name = words(key).strip() if not list(key.find_data("string")) else value(key)
            assert name not in found, name
            found[name] = value(of)
        return found
    if kind == "function_call":
        name, arguments = children
        return {words(name).strip(): [value(child) for child in nodes(arguments)]} if words(name).strip() == "jsonencode" else {"ref": words(tree)}
    return {"ref": words(tree).strip()}

def body(tree):
    found = {"attributes": {}, "blocks": []}
    for item in nodes(tree):
        if item.data == "attribute":
            name, of = nodes(item)
            found["attributes"][words(name).strip()] = value(of)
        elif item.data == "block":
            *head, inner = nodes(item)
            labels = [value(part) if part.data == "string" else words(part).strip() for part in head]
            found["blocks"].append({"head": labels, **body(inner)})
        else:
            raise AssertionError(item)
    return found

answers = {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        answers[path.name] = yaml.safe_load(source)
    else:
        answers[path.name] = body(nodes(hcl2.parses_to_tree(source))[0])
print(json.dumps(answers))
"##;

fn tool(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make tools` in the folder of the workspace", path.display());
    Command::new(path)
}

fn parse(documents: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let stage = Stage::new();
    let folder = stage.0.join("documents");
    fs::create_dir(&folder).expect("a folder");
    for (name, text) in documents {
        assert!(text.is_ascii() && !text.contains(['\r', '\t']), "{text}");
        fs::write(folder.join(name), text).expect("a document");
    }
    let script = stage.0.join("parse.py");
    fs::write(&script, PARSE).expect("the script");
    let output = tool("python3").arg(&script).arg(&folder).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The statements as blocks of the data source.
fn blocks(statements: &[Statement]) -> Value {
    let block = |head: &str, attributes: Value, blocks: Value| json!({"head": [head], "attributes": attributes, "blocks": blocks});
    statements
        .iter()
        .map(|statement| {
            let mut attributes = json!({"effect": "Allow", "actions": statement.actions});
            if let Some(sid) = &statement.sid {
                attributes["sid"] = json!(sid);
            }
            if !statement.resources.is_empty() {
                attributes["resources"] = json!(statement.resources);
            }
            let mut inner = Vec::new();
            if let Some(trustee) = &statement.trustee {
                let (kind, who) = match trustee {
                    Trustee::Service(name) => ("Service", name),
                    Trustee::Aws(arn) => ("AWS", arn),
                };
                inner.push(block("principals", json!({"type": kind, "identifiers": [who]}), json!([])));
            }
            for (operator, keys) in &statement.conditions {
                for (key, values) in keys {
                    inner.push(block(
                        "condition",
                        json!({"test": operator, "variable": key, "values": values}),
                        json!([]),
                    ));
                }
            }
            block("statement", attributes, json!(inner))
        })
        .collect()
}

/// What the two languages should say of a remedy.
fn expected(remedy: &Remedy) -> (Value, Value) {
    let (target, empty) = (&remedy.target.name, Vec::new());
    let statements = remedy.policy.as_ref().map_or(&empty, |policy| &policy.statements);
    let kind = match remedy.target.kind {
        TargetKind::User => "User",
        TargetKind::Group => "Group",
        _ => "Role",
    };
    let word = kind.to_lowercase();
    let name = format!("{}{}", "TrailpassCloudTrailAccess-", name_suffix(remedy));
    let template = |id: &str, kind: &str, properties: Value| json!({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {id: {"Type": kind, "Properties": properties}}});
    let block = |head: [&str; 3], attributes: Value| json!({"head": head, "attributes": attributes, "blocks": []});
    let module = |blocks: Value| json!({"attributes": {}, "blocks": blocks});
    let to_merge = || {
        module(
            json!([{"head": ["data", "aws_iam_policy_document", "trailpass"], "attributes": {}, "blocks": blocks(statements)}]),
        )
    };
    match remedy.kind {
        RemedyKind::AttachManagedPolicy => (
            Value::Null,
            module(json!([block(
                ["resource", &format!("aws_iam_{word}_policy_attachment"), "trailpass"],
                json!({word: target, "policy_arn": READ_ONLY})
            )])),
        ),
        RemedyKind::PutInlinePolicy => (
            template(
                "TrailpassPolicy",
                &format!("AWS::IAM::{kind}Policy"),
                json!({(format!("{kind}Name")): target, "PolicyName": name, "PolicyDocument": value(statements)}),
            ),
            module(json!([block(
                ["resource", &format!("aws_iam_{word}_policy"), "trailpass"],
                json!({"name": name, word: target, "policy": {"jsonencode": [value(statements)]}})
            )])),
        ),
        RemedyKind::CreateCrossAccountRole => {
            let (trust, permissions): (Vec<_>, Vec<_>) =
                statements.iter().cloned().partition(|statement| statement.trustee.is_some());
            let name = "TrailpassCloudTrailAccess";
            (
                template(
                    "TrailpassRole",
                    "AWS::IAM::Role",
                    json!({"RoleName": target, "AssumeRolePolicyDocument": value(&trust), "Policies": [{"PolicyName": name, "PolicyDocument": value(&permissions)}]}),
                ),
                module(json!([
                    block(
                        ["resource", "aws_iam_role", "trailpass"],
                        json!({"name": target, "assume_role_policy": {"jsonencode": [value(&trust)]}})
                    ),
                    block(
                        ["resource", "aws_iam_role_policy", "trailpass"],
                        json!({"name": name, "role": {"ref": "aws_iam_role.trailpass.name"}, "policy": {"jsonencode": [value(&permissions)]}})
                    ),
                ])),
            )
        }
        RemedyKind::UpdateBucketPolicy | RemedyKind::PutResourcePolicy if remedy.target.kind == TargetKind::Bucket => (
            template(
                "TrailpassBucketPolicy",
                "AWS::S3::BucketPolicy",
                json!({"Bucket": target, "PolicyDocument": value(statements)}),
            ),
            to_merge(),
        ),
        RemedyKind::CreateServiceLinkedRole => (
            template(
                "CloudTrailServiceLinkedRole",
                "AWS::IAM::ServiceLinkedRole",
                json!({"AWSServiceName": "cloudtrail.amazonaws.com"}),
            ),
            module(json!([block(
                ["resource", "aws_iam_service_linked_role", "cloudtrail"],
                json!({"aws_service_name": "cloudtrail.amazonaws.com"})
            )])),
        ),
        RemedyKind::ChangePermissionSet if remedy.policy.is_none() => {
            let instance = json!({"ref": "tolist(data.aws_ssoadmin_instances.trailpass.arns)[0]"});
            let set = json!({"instance_arn": instance, "name": target});
            let attachment = json!({"instance_arn": instance, "permission_set_arn": {"ref": "data.aws_ssoadmin_permission_set.trailpass.arn"}, "managed_policy_arn": READ_ONLY});
            (
                Value::Null,
                module(json!([
                    block(["data", "aws_ssoadmin_instances", "trailpass"], json!({})),
                    block(["data", "aws_ssoadmin_permission_set", "trailpass"], set),
                    block(["resource", "aws_ssoadmin_managed_policy_attachment", "trailpass"], attachment),
                ])),
            )
        }
        _ => (Value::Null, to_merge()),
    }
}

/// The end of the inline policy's name, as the shell's command has it.
fn name_suffix(remedy: &Remedy) -> String {
    let cli = Commands::of(remedy).aws_cli.unwrap_or_default();
    cli.split("TrailpassCloudTrailAccess-").nth(1).and_then(|rest| rest.get(..8)).unwrap_or_default().to_owned()
}

/// Parses the documents of these remedies; every one has to say what was meant. Gives back how many there were.
fn check(remedies: &[Remedy]) -> (usize, usize) {
    let mut documents = BTreeMap::new();
    for (at, remedy) in remedies.iter().enumerate() {
        let commands = Commands::of(remedy);
        documents.extend(commands.cloudformation.map(|text| (format!("{at}.yaml"), text)));
        documents.extend(commands.terraform.map(|text| (format!("{at}.tf"), text)));
    }
    let parsed = parse(&documents);
    for (name, found) in &parsed {
        let (at, language) = name.split_once('.').expect("a name");
        let remedy = &remedies[at.parse::<usize>().expect("a number")];
        let (template, module) = expected(remedy);
        let meant = if language == "yaml" { template } else { module };
        assert_eq!(found, &meant, "{remedy:?}\n{}", documents[name]);
    }
    let templates = documents.keys().filter(|name| name.ends_with("yaml")).count();
    (templates, documents.len() - templates)
}

fn natural_remedies() -> Vec<Remedy> {
    let mut remedies: Vec<_> = KINDS.iter().flat_map(|&kind| TARGETS.map(|target| natural(kind, target))).collect();
    remedies.push(permission_set().arn(READ_ONLY));
    remedies
}

#[test]
fn templates_pass_cfn_lint() {
    let stage = Stage::new();
    let mut lint = tool("cfn-lint");
    let mut count = 0;
    for (at, remedy) in natural_remedies().iter().enumerate() {
        if let Some(template) = Commands::of(remedy).cloudformation {
            let path = stage.0.join(format!("{at}.yaml"));
            fs::write(&path, template).expect("a template");
            lint.arg(path);
            count += 1;
        }
    }
    assert!(count > 8, "{count} templates");
    let output = lint.output().expect("cfn-lint runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn templates_and_modules_say_what_was_meant() {
    let mut remedies = natural_remedies();
    for (target, name) in [(TargetKind::User, "alice"), (TargetKind::Role, "reader"), (TargetKind::Group, "--group")] {
        remedies.push(remedy(RemedyKind::PutInlinePolicy, target, name, None).policy(hostile(own_shape)));
    }
    let both = hostile(trust).into_iter().chain(hostile(own_shape)).collect();
    remedies.push(remedy(RemedyKind::CreateCrossAccountRole, TargetKind::Role, "r", None).policy(both));
    remedies.push(permission_set().policy(hostile(own_shape)));
    remedies.extend(shell_documents());
    let (templates, modules) = check(&remedies);
    assert!(templates >= 30 && modules >= 50, "{templates} templates, {modules} modules");
}

fn shell_documents() -> Vec<Remedy> {
    documents::whole(hostile).into_iter().map(|case| case.remedy).collect()
}

// --- any text at all -------------------------------------------------------------------------------------------------

/// Any text, often made of what the languages hold dear.
fn text() -> impl Strategy<Value = String> {
    let dear =
        "[$%{}&'\"\\\\`!#\n\r\t :=,()\\[\\]~*a-c\u{e9}\u{202e}\u{1f600}\u{0}\u{7f}\u{85}\u{2028}\u{feff}-]{0,24}";
    prop_oneof![2 => dear, 1 => any::<String>(), 1 => proptest::sample::select(HOSTILE).prop_map(str::to_owned)]
}

fn statement(has_trustee: bool, has_resources: bool) -> impl Strategy<Value = Statement> {
    let operators = proptest::sample::select(&["StringEquals", "Null", "Bool", "ForAllValues:StringLike"][..]);
    let conditions = proptest::collection::vec((operators, text(), text()), 0..4);
    let texts = || proptest::collection::vec(text(), 1..4);
    (proptest::option::of(text()), text(), texts(), texts(), conditions, any::<bool>()).prop_map(
        move |(sid, who, actions, resources, conditions, is_service)| {
            let trustee = if is_service { Trustee::Service(who) } else { Trustee::Aws(who) };
            let statement = Statement {
                sid,
                trustee: has_trustee.then_some(trustee),
                actions,
                resources: if has_resources { resources } else { Vec::new() },
                ..Statement::default()
            };
            conditions
                .into_iter()
                .fold(statement, |statement, (operator, key, value)| statement.when(operator, &key, &value))
        },
    )
}

fn some<T>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::default();
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

fn policies(has_trustee: bool, has_resources: bool) -> impl Strategy<Value = Vec<Statement>> {
    proptest::collection::vec(statement(has_trustee, has_resources), 1..3)
}

#[test]
fn any_text_comes_through_templates_and_modules() {
    let mut remedies = Vec::new();
    for statements in some(policies(false, true), 80) {
        remedies.push(remedy(RemedyKind::PutInlinePolicy, TargetKind::User, "alice", None).policy(statements));
    }
    for statements in some(policies(true, true), 80) {
        remedies
            .push(remedy(RemedyKind::UpdateBucketPolicy, TargetKind::Bucket, "audit-logs", None).policy(statements));
    }
    for (trust, mut statements) in some((policies(true, false), policies(false, true)), 40) {
        statements.extend(trust);
        remedies.push(remedy(RemedyKind::CreateCrossAccountRole, TargetKind::Role, "reader", None).policy(statements));
    }
    let (templates, modules) = check(&remedies);
    // Almost all: a text may by chance be one that a language can't hold.
    assert!(templates > 190 && modules > 160, "{templates} templates, {modules} modules");
}

#[test]
fn any_text_comes_through_the_shell() {
    let (mut script, mut meant) = (String::new(), Vec::new());
    for statements in some(policies(false, true), 150) {
        let remedy = remedy(RemedyKind::PutInlinePolicy, TargetKind::User, "alice", None).policy(statements.clone());
        script.push_str(&cli(&remedy));
        meant.push(value(&statements).to_string());
    }
    assert!(!script.contains('!'), "an interactive bash may put its history there");
    let calls = Stage::new().calls(&script);
    let found: Vec<_> = calls.iter().map(|call| call.last().cloned().unwrap_or_default()).collect();
    assert_eq!(found, meant);
}

#[test]
fn any_name_is_either_legal_or_left_out() {
    for (name, (target, _)) in some((text(), proptest::sample::select(&TARGETS[..])), 3000) {
        for kind in KINDS {
            let commands = Commands::of(&natural(kind, (target, &name)));
            for text in [commands.aws_cli, commands.cloudformation, commands.terraform].into_iter().flatten() {
                let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b" _+=,.@/#:-".contains(&b));
                assert!(legal && text.is_ascii(), "{name:?}: {text}");
            }
        }
    }
}
