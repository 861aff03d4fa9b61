//! Answers: a value as the XML of AWS's Query protocol.
//!
//! A list becomes `<member>` elements, one that is called `entry` (of a map) several of that name; what is null is
//! left out, everything else is text.

use serde_json::Value;

use super::error::ApiError;

/// The answer to an operation that was done.
pub(super) fn result(namespace: &str, action: &str, result: &Value, request: &str) -> String {
    let mut out = format!("<{action}Response xmlns=\"{namespace}\">");
    element(&mut out, &format!("{action}Result"), result);
    out.push_str("<ResponseMetadata>");
    element(&mut out, "RequestId", &Value::from(request));
    out.push_str(&format!("</ResponseMetadata></{action}Response>"));
    out
}

/// The answer to one that was not.
pub(super) fn error(namespace: &str, error: &ApiError, request: &str) -> String {
    let whose = match error.status().is_server_error() {
        true => "Receiver",
        false => "Sender",
    };
    let mut out = format!("<ErrorResponse xmlns=\"{namespace}\"><Error>");
    element(&mut out, "Type", &Value::from(whose));
    element(&mut out, "Code", &Value::from(error.code()));
    element(&mut out, "Message", &Value::from(error.to_string()));
    out.push_str("</Error>");
    element(&mut out, "RequestId", &Value::from(request));
    out.push_str("</ErrorResponse>");
    out
}

/// The answer to an operation of EC2 that was done: no element around the result, and lists of `<item>`.
pub(super) fn ec2_result(namespace: &str, action: &str, result: &Value, request: &str) -> String {
    let mut out = format!("<{action}Response xmlns=\"{namespace}\">");
    element(&mut out, "requestId", &Value::from(request));
    for (name, value) in result.as_object().into_iter().flatten() {
        ec2_element(&mut out, name, value);
    }
    out.push_str(&format!("</{action}Response>"));
    out
}

/// The answer to one that was not.
pub(super) fn ec2_error(error: &ApiError, request: &str) -> String {
    let mut out = "<Response><Errors><Error>".to_owned();
    element(&mut out, "Code", &Value::from(error.code()));
    element(&mut out, "Message", &Value::from(error.to_string()));
    out.push_str("</Error></Errors>");
    element(&mut out, "RequestID", &Value::from(request));
    out.push_str("</Response>");
    out
}

fn ec2_element(out: &mut String, name: &str, value: &Value) {
    let parts: Vec<(&str, &Value)> = match value {
        Value::Array(items) => items.iter().map(|item| ("item", item)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, it)| (name.as_str(), it))
            .collect(),
        plain => return element(out, name, plain),
    };
    out.push_str(&format!("<{name}>"));
    for (name, part) in parts {
        ec2_element(out, name, part);
    }
    out.push_str(&format!("</{name}>"));
}

fn element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => return,
        Value::Array(entries) if name == "entry" => {
            entries.iter().for_each(|entry| element(out, name, entry));
            return;
        }
        _ => {}
    }
    out.push_str(&format!("<{name}>"));
    match value {
        Value::Null => {}
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => out.push_str(&value.to_string()),
        Value::String(value) => text(out, value),
        Value::Array(members) => {
            for member in members {
                element(out, "member", member);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                element(out, name, value);
            }
        }
    }
    out.push_str(&format!("</{name}>"));
}

/// XML 1.0 has no way to write other control characters.
fn text(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(character),
            control if control.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_becomes_the_elements_that_aws_has() {
        let value = json!({
            "TargetGroups": [{ "Name": "a<b>&", "Port": 80, "Enabled": true, "Matcher": null }],
            "NextMarker": null,
            "Params": { "entry": [{ "key": "a", "value": "b" }, { "key": "c", "value": "d" }] },
        });
        assert_eq!(
            result("urn:x", "Describe", &value, "7"),
            "<DescribeResponse xmlns=\"urn:x\"><DescribeResult><Params><entry><key>a</key><value>b</value>\
             </entry><entry><key>c</key><value>d</value></entry></Params><TargetGroups><member>\
             <Enabled>true</Enabled><Name>a&lt;b&gt;&amp;</Name><Port>80</Port></member></TargetGroups>\
             </DescribeResult><ResponseMetadata><RequestId>7</RequestId></ResponseMetadata>\
             </DescribeResponse>"
        );
    }

    #[test]
    fn ec2_lists_items_and_says_errors_in_its_own_way() {
        let value =
            json!({ "subnetSet": [{ "subnetId": "a", "cidrBlock": null }], "ipRanges": [] });
        assert_eq!(
            ec2_result("urn:x", "DescribeSubnets", &value, "7"),
            "<DescribeSubnetsResponse xmlns=\"urn:x\"><requestId>7</requestId><ipRanges></ipRanges>\
             <subnetSet><item><subnetId>a</subnetId></item></subnetSet></DescribeSubnetsResponse>"
        );
        assert_eq!(
            ec2_error(&ApiError::Validation("no".to_owned()), "7"),
            "<Response><Errors><Error><Code>ValidationError</Code><Message>no</Message></Error></Errors>\
             <RequestID>7</RequestID></Response>"
        );
    }

    #[test]
    fn an_error_says_whose_fault_it_is() {
        let refused = error("urn:x", &ApiError::Validation("no \u{1}".to_owned()), "7");
        assert_eq!(
            refused,
            "<ErrorResponse xmlns=\"urn:x\"><Error><Type>Sender</Type><Code>ValidationError</Code>\
             <Message>no \u{fffd}</Message></Error><RequestId>7</RequestId></ErrorResponse>"
        );
        let unavailable = error("urn:x", &ApiError::Unavailable, "7");
        assert!(
            unavailable.contains("<Type>Receiver</Type>"),
            "{unavailable}"
        );
    }
}
