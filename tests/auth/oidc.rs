//! authenticate-oidc: a login from the first request to the target, and what can go wrong.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::provider::Provider;
use crate::support::{Certificates, Elbow, Message, Target};
use crate::{now, start, visit};

fn before(provider: &Provider, more: &str) -> String {
    format!(
        "[load_balancer.listener.rule.authenticate_oidc]\n\
         issuer = \"https://idp.test\"\n\
         authorization_endpoint = \"https://idp.test/authorize\"\n\
         token_endpoint = \"{}\"\n\
         user_info_endpoint = \"{}\"\n\
         client_id = \"me\"\n\
         client_secret = \"secret\"\n\
         {more}\n",
        provider.url("/token"),
        provider.url("/userinfo")
    )
}

/// A browser: it keeps cookies.
struct Browser<'a> {
    elbow: &'a Elbow,
    certificates: &'a Certificates,
    cookies: HashMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(elbow: &'a Elbow, certificates: &'a Certificates) -> Self {
        Self {
            elbow,
            certificates,
            cookies: HashMap::new(),
        }
    }

    async fn get(&mut self, target: &str) -> Message {
        let cookies = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies: Vec<String> = cookies.collect();
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: site.test\r\nCookie: app=1; {}\r\n\
             X-Amzn-Oidc-Identity: forged\r\nX_Amzn_Oidc_Data: forged\r\n\r\n",
            cookies.join("; ")
        );
        let mut client = visit(self.elbow, self.certificates).await;
        let response = client.ask(request).await;
        for set in response.values("Set-Cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        response
    }

    /// Begins a login and lets the provider send the browser back with a code; returns what the balancer says then.
    async fn log_in(&mut self, provider: &Provider, tokens: Value) -> Message {
        let (state, nonce) = self.begin().await;
        let claims = json!({
            "iss": "https://idp.test", "aud": "me", "exp": now() + 60, "nonce": nonce, "sub": "u-1",
        });
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        let mut all = json!({ "access_token": "at-1", "id_token": format!("e30.{payload}.c2ln") });
        for (name, value) in tokens.as_object().unwrap() {
            all[name] = value.clone();
        }
        provider.answer("/token", 200, &all);
        self.get(&format!("/oauth2/idpresponse?code=c-1&state={state}"))
            .await
    }

    async fn begin(&mut self) -> (String, String) {
        let away = self.get("/private/a?b=c").await;
        assert_eq!(away.status(), 302);
        let location = away.value("Location").unwrap().to_owned();
        assert!(
            location.starts_with("https://idp.test/authorize?"),
            "{location}"
        );
        let query = location.split_once('?').unwrap().1;
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(found, _)| *found == name)
                .unwrap()
                .1
                .to_owned()
        };
        (value("state"), value("nonce"))
    }
}

fn user() -> Value {
    json!({ "sub": "u-1", "email": "u@site.test" })
}

#[tokio::test]
async fn a_user_logs_in_and_the_target_is_told_who_it_is() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    provider.answer("/userinfo", 200, &user());
    let (elbow, certificates) = start(&target, &before(&provider, "")).await;
    let mut browser = Browser::new(&elbow, &certificates);
    let back = browser.log_in(&provider, json!({})).await;
    assert_eq!(back.status(), 302);
    assert_eq!(
        back.value("Location"),
        Some("https://site.test/private/a?b=c")
    );
    assert_eq!(target.connections(), 0);
    let exchange = &provider.requests()[0];
    let form = exchange.text();
    for part in [
        "grant_type=authorization_code",
        "code=c-1",
        "code_verifier=",
        "idpresponse",
    ] {
        assert!(form.contains(part), "{part} in {form}");
    }
    assert_eq!(exchange.value("Authorization"), Some("Basic bWU6c2VjcmV0"));

    assert_eq!(browser.get("/private/a?b=c").await.text(), "hello");
    let request = target.request();
    assert_eq!(request.value("x-amzn-oidc-identity"), Some("u-1"));
    assert_eq!(request.value("x-amzn-oidc-accesstoken"), Some("at-1"));
    assert_eq!(
        request.value("Cookie"),
        Some("app=1"),
        "the session is the balancer's"
    );
    assert!(!request.head.contains("forged"), "{}", request.head);
    let data = request.value("x-amzn-oidc-data").unwrap();
    let part = |place: usize| -> Value {
        let bytes = URL_SAFE
            .decode(data.split('.').nth(place).unwrap())
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    assert_eq!(
        (&part(0)["alg"], &part(0)["signer"]),
        (&json!("ES256"), &json!("lb"))
    );
    assert_eq!(part(1)["email"], "u@site.test");
    let key = format!("/oauth2/public-keys/{}", part(0)["kid"].as_str().unwrap());
    assert!(
        browser
            .get(&key)
            .await
            .text()
            .starts_with("-----BEGIN PUBLIC KEY-----")
    );
    let log = elbow.log(4).await;
    assert_eq!(log[0].text("actions_executed"), "authenticate");
    assert_eq!(log[2].text("actions_executed"), "authenticate,forward");
    assert_eq!(elbow.metric("elbow_oidc_total{event=\"success\"}"), 1.0);
}

#[tokio::test]
async fn of_two_tabs_that_log_in_at_once_both_get_their_page() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    provider.answer("/userinfo", 200, &user());
    let (elbow, certificates) = start(&target, &before(&provider, "")).await;
    let mut browser = Browser::new(&elbow, &certificates);
    let (state, _) = browser.begin().await;
    let callback = format!("/oauth2/idpresponse?code=c-0&state={state}");
    browser.log_in(&provider, json!({})).await;
    // The second tab comes back when the login of the first is over; so does who reloads that address.
    let location = Some("https://site.test/private/a?b=c");
    for _ in 0..2 {
        let back = browser.get(&callback).await;
        assert_eq!((back.status(), back.value("Location")), (302, location));
    }
    assert_eq!(
        provider.token_requests(),
        1,
        "the session of the first is there"
    );
    let success = "elbow_oidc_total{event=\"success\"}";
    assert_eq!(elbow.metric(success), 1.0);
    // Of no use to who has no session, or with a state that is none.
    let mut other = Browser::new(&elbow, &certificates);
    assert_eq!(other.get(&callback).await.status(), 401);
    let forged = "/oauth2/idpresponse?code=c-0&state=forged";
    assert_eq!(browser.get(forged).await.status(), 401);
}

#[tokio::test]
async fn without_an_own_rule_nobody_can_say_who_it_is() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    let (elbow, certificates) = start(&target, &before(&provider, "")).await;
    let mut browser = Browser::new(&elbow, &certificates);
    assert_eq!(browser.get("/").await.text(), "hello");
    let head = target.request().head;
    assert!(!head.to_ascii_lowercase().contains("oidc"), "{head}");
}

#[tokio::test]
async fn a_session_is_renewed_by_its_refresh_token_when_the_access_token_ends() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    provider.answer("/userinfo", 200, &user());
    let (elbow, certificates) = start(&target, &before(&provider, "")).await;
    let mut browser = Browser::new(&elbow, &certificates);
    let tokens = json!({ "refresh_token": "rt-1", "expires_in": 0 });
    browser.log_in(&provider, tokens).await;
    let before = browser.cookies["AWSELBAuthSessionCookie-0"].clone();
    provider.answer(
        "/token",
        200,
        &json!({ "access_token": "at-2", "expires_in": 600 }),
    );
    assert_eq!(browser.get("/private/a").await.text(), "hello");
    let token = target
        .request()
        .value("x-amzn-oidc-accesstoken")
        .unwrap()
        .to_owned();
    assert_eq!(token, "at-2");
    assert_ne!(browser.cookies["AWSELBAuthSessionCookie-0"], before);
    browser.get("/private/a").await;
    assert_eq!(provider.token_requests(), 2, "the renewed session is good");
    assert_eq!(
        elbow.metric("elbow_oidc_total{event=\"refresh_token_success\"}"),
        1.0
    );
}

#[tokio::test]
async fn who_has_no_session_may_pass_or_be_denied() {
    for (setting, status) in [("allow", 200), ("deny", 401)] {
        let (target, provider) = (Target::saying("hello").await, Provider::start().await);
        let more = format!("on_unauthenticated_request = \"{setting}\"");
        let (elbow, certificates) = start(&target, &before(&provider, &more)).await;
        let mut browser = Browser::new(&elbow, &certificates);
        assert_eq!(browser.get("/private/a").await.status(), status);
    }
}

#[tokio::test]
async fn each_failure_of_a_login_has_its_status_and_reason() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    let (elbow, certificates) = start(&target, &before(&provider, "")).await;
    let large = json!({ "sub": "u-1", "note": "x".repeat(12 * 1024) });
    let cases = [
        (json!({}), user(), 200, 302, "-"),
        (
            json!({ "id_token": null }),
            user(),
            200,
            401,
            "AuthInvalidIdToken",
        ),
        (
            json!({ "access_token": "" }),
            user(),
            200,
            500,
            "AuthInvalidTokenResponse",
        ),
        (
            json!({}),
            json!({ "sub": "u-2" }),
            200,
            500,
            "AuthInvalidUserinfoResponse",
        ),
        (
            json!({}),
            json!({}),
            503,
            500,
            "AuthUserinfoEpRequestFailed",
        ),
        (
            json!({}),
            large,
            200,
            500,
            "AuthUserinfoResponseSizeExceeded",
        ),
    ];
    for (line, (tokens, claims, info, status, reason)) in cases.into_iter().enumerate() {
        provider.answer("/userinfo", info, &claims);
        let mut browser = Browser::new(&elbow, &certificates);
        let said = browser.log_in(&provider, tokens).await;
        assert_eq!(said.status(), status, "{reason}");
        let log = elbow.log(2 * line + 2).await;
        assert_eq!(log[2 * line + 1].text("error_reason"), reason);
    }
    assert_eq!(
        elbow.metric("elbow_oidc_total{event=\"claims_size_exceeded\"}"),
        1.0
    );
}

#[tokio::test]
async fn a_provider_that_errs_refuses_or_hangs_never_hangs_the_balancer() {
    let (target, provider) = (Target::saying("hello").await, Provider::start().await);
    let (elbow, certificates) = start(&target, &before(&provider, "")).await;
    let mut browser = Browser::new(&elbow, &certificates);
    let (state, _) = browser.begin().await;
    let mut callback = async |query: &str| {
        browser
            .get(&format!("/oauth2/idpresponse?{query}"))
            .await
            .status()
    };
    let with_state = format!("state={state}");
    assert_eq!(
        callback(&format!("{with_state}&error=access_denied")).await,
        561
    );
    assert_eq!(callback("code=c&state=forged").await, 401);
    assert_eq!(callback("code=c").await, 401);
    assert_eq!(callback(&with_state).await, 401);
    let refusal = json!({ "error": "invalid_grant" });
    provider.answer("/token", 400, &refusal);
    assert_eq!(callback(&format!("{with_state}&code=c")).await, 401);
    provider.answer("/token", 500, &refusal);
    assert_eq!(callback(&format!("{with_state}&code=c")).await, 500);
    provider.hang("/token");
    assert_eq!(callback(&format!("{with_state}&code=c")).await, 500);
    let log = elbow.log(8).await;
    let reasons: Vec<_> = log[1..]
        .iter()
        .map(|line| line.text("error_reason"))
        .collect();
    assert_eq!(
        reasons,
        [
            "AuthProviderError",
            "AuthInvalidStateParam",
            "AuthMissingStateParam",
            "AuthMissingCodeParam",
            "AuthInvalidGrantError",
            "AuthTokenEpRequestFailed",
            "AuthTokenEpRequestTimeout",
        ]
    );
    // Another browser's state is of no use.
    let mut other = Browser::new(&elbow, &certificates);
    let stolen = other
        .get(&format!("/oauth2/idpresponse?code=c&{with_state}"))
        .await;
    assert_eq!(stolen.status(), 401);
}
