//! Whether a value is what a schema of the OpenAPI document says: the keywords that our document uses, and no others.

use serde_json::Value;

/// What is wrong with a value, each with its place; empty when nothing is.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    Check { document, faults: &mut faults }.value(schema, value, "");
    faults
}

struct Check<'a> {
    document: &'a Value,
    faults: &'a mut Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Value, value: &Value, place: &str) {
        if let Some(name) = schema["$ref"].as_str() {
            let target = self.document.pointer(name.trim_start_matches('#')).cloned();
            return match target {
                Some(target) => self.value(&target, value, place),
                None => self.fault(place, &format!("{name} is nowhere")),
            };
        }
        if let Some(many) = schema["oneOf"].as_array() {
            let fits = many.iter().filter(|one| faults(self.document, one, value).is_empty()).count();
            if fits != 1 {
                self.fault(place, &format!("fits {fits} of {} alternatives: {value}", many.len()));
            }
            return;
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            self.fault(place, &format!("{value} is none of {words:?}"));
        }
        if !has_type(&schema["type"], value) {
            return self.fault(place, &format!("{value} is no {}", schema["type"]));
        }
        match value {
            Value::Object(_) => self.object(schema, value, place),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&schema["items"], item, &format!("{place}/{index}"));
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, schema: &Value, value: &Value, place: &str) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if value.get(name).is_none() {
                self.fault(place, &format!("{name} is missing"));
            }
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            let place = format!("{place}/{name}");
            match (schema["properties"].get(name), schema.get("properties")) {
                (Some(schema), _) => self.value(schema, inner, &place),
                // What the document does not tell of is a hole in it.
                (None, Some(_)) => self.fault(&place, "is not documented"),
                (None, None) => {}
            }
        }
    }

    fn fault(&mut self, place: &str, words: &str) {
        self.faults.push(format!("{place}: {words}"));
    }
}

fn has_type(kind: &Value, value: &Value) -> bool {
    match kind {
        Value::String(kind) => match kind.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "null" => value.is_null(),
            _ => false,
        },
        Value::Array(kinds) => kinds.iter().any(|kind| has_type(kind, value)),
        _ => true,
    }
}

#[test]
fn faults_are_found() {
    let document = serde_json::json!({ "a": {
        "type": "object", "required": ["x"],
        "properties": { "x": { "type": ["integer", "null"] }, "y": { "oneOf": [{ "$ref": "#/a" }, { "type": "null" }] } }
    } });
    let count = |value: Value| faults(&document, &serde_json::json!({ "$ref": "#/a" }), &value).len();
    assert_eq!(count(serde_json::json!({ "x": 1, "y": { "x": null, "y": null } })), 0);
    for bad in [serde_json::json!({}), serde_json::json!({ "x": "1" }), serde_json::json!({ "x": 1, "z": 1 })]
    {
        assert_eq!(count(bad.clone()), 1, "{bad}");
        assert_eq!(count(serde_json::json!({ "x": 1, "y": bad })), 1);
    }
}
