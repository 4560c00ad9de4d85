//! What is wrong with a manifest is said by field.

use serde_json::{Value, json};
use tools::{Choices, Manifest};

use crate::flaws;

fn told(document: &Value, choices: &Choices) -> String {
    match Manifest::read(document, choices) {
        Ok(manifest) => {
            let tools: Vec<&str> = manifest.tools().into_iter().map(|tool| tool.name.as_str()).collect();
            format!("{} {:?} {}", manifest.name, manifest.kind, tools.join(" "))
        }
        Err(found) => flaws(&found.into()),
    }
}

#[test]
fn flaws_name_their_fields() {
    let openapi = |more: Value| {
        let mut document = json!({ "openapi": "3.0.3", "info": { "title": "A" }, "servers": [{ "url": "http://a.example" }], "paths": { "/x": { "get": { "operationId": "x" } } } });
        for (name, value) in more.as_object().into_iter().flatten() {
            document[name] = value.clone();
        }
        document
    };
    for (document, expected) in [
        (
            json!("x"),
            "manifest: it is none of the kinds there are: a service (id, api.baseUrl), an OpenAPI 3 document (openapi), a LobeChat plugin (identifier, api), MCP servers (mcpServers, or mcp)",
        ),
        (json!({ "id": "a" }), "api.baseUrl: it is missing"),
        (
            json!({ "id": "a b", "enabled": "yes", "permissions": ["read:all"], "api": { "baseUrl": "http://a.example", "endpoints": { "upload": "up" } } }),
            "enabled: \"yes\" is neither true nor false\npermissions.0: \"read:all\" is no permission; there are read:files, \
             write:files, read:knowledge, net:HOST, db:read and exec:code\napi.endpoints.upload: \"up\" is no path: it begins with \
             /\nname: \"a b\" is no name: 1 to 40 letters, digits, - and _",
        ),
        (
            json!({ "id": "a", "api": { "baseUrl": "http://a.example", "endpoints": { "upload": "/u", "analyze": "/a" } } }),
            "permissions: who takes files (api.endpoints.upload) must ask for read:files",
        ),
        (
            json!({ "id": "a", "permissions": ["read:files"], "api": { "baseUrl": "http://a.example", "endpoints": { "analyze": "/a" } } }),
            "api.endpoints.upload: it is missing beside analyze",
        ),
        (
            json!({ "id": "a", "api": { "baseUrl": "http://a.example" }, "triggers": [{ "on": "message", "pattern": "(", "endpoint": "x" }, { "on": "noon" }] }),
            "triggers.0.pattern: regex parse error:\n    (\n    ^\nerror: unclosed group\ntriggers.0.endpoint: it must be a path \
             that begins with /\ntriggers.1.on: \"noon\" is nothing that happens; there are file.uploaded and message",
        ),
        (json!({ "swagger": "2.0" }), "openapi: version \"2.0\" is not read; 3.0 and 3.1 are"),
        (openapi(json!({ "servers": [] })), "servers: there is none; say which base_url to ask"),
        (
            openapi(json!({ "servers": [{ "url": "/v1" }] })),
            "servers.0.url: \"/v1\" names no host; say which base_url to ask",
        ),
        (openapi(json!({ "paths": {} })), "paths: there is no operation that can be a tool"),
        (
            openapi(json!({ "paths": { "/{id}": { "get": {} } } })),
            "paths: there is no operation that can be a tool: GET /{id}: its path has a parameter \"id\" that is not described",
        ),
        (openapi(json!({})), "a OpenApi a__x"),
        (json!({ "identifier": "x", "openapi_url": "u" }), "api: there are none"),
        (
            json!({ "identifier": "x", "type": "standalone", "api": [{ "name": "n", "url": "nowhere" }] }),
            "type: plugins of type \"standalone\" draw pages of their own, which is not done here\napi.0.url: \"nowhere\" is no address to ask: \"\" is not an address that can be asked: it must begin with http:// or https://",
        ),
        (json!({ "builtin": "oracle" }), "builtin: the house has no tool \"oracle\""),
    ] {
        assert_eq!(told(&document, &Choices::default()), expected, "{document}");
    }
    let chosen = |names: &[&str]| Choices {
        operations: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Choices::default()
    };
    assert_eq!(told(&openapi(json!({})), &chosen(&["GET /x"])), "a OpenApi a__x");
    assert_eq!(told(&openapi(json!({})), &chosen(&["x", "y"])), "operations.1: there is no operation \"y\"");
}

#[test]
fn a_schema_that_leads_to_itself_stays_small() {
    let node = json!({ "type": "object", "properties": { "a": { "$ref": "#/components/schemas/Node" }, "b": { "$ref": "#/components/schemas/Node" }, "c": { "$ref": "#/components/schemas/Node" } } });
    let document = json!({
        "openapi": "3.1.0", "info": { "title": "A" }, "servers": [{ "url": "http://a.example" }],
        "components": { "schemas": { "Node": node, "Loop": { "$ref": "#/components/schemas/Loop" } } },
        "paths": { "/x": { "post": { "operationId": "x",
            "parameters": [{ "name": "q", "in": "query", "schema": { "$ref": "#/components/schemas/Loop" } }],
            "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Node" } } } } } } }
    });
    let manifest = Manifest::read(&document, &Choices::default()).expect("it is understood");
    assert!(manifest.tools()[0].parameters.to_string().len() < 300_000);
}
