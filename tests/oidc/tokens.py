"""`jwt-validation` with access tokens of a real provider: which pass, and what is left when its keys are not to be had."""

import base64
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from checks import Checks, free_ports
from elbow import Elbow
from scene import HOST, SEEN, Answer, Client, Provider, basic, listener, serve_echo, target

API = "https://api.example.com"


def validation(path: str, provider: Provider, issuer: str) -> str:
    return f"""path = ["{path}"]
[load_balancer.listener.rule.jwt_validation]
jwks_endpoint = "{provider.url}/jwks"
issuer = "{issuer}"
ca_file = "elbow-ca/ca.pem"
additional_claims = [
    {{ name = "aud", values = ["{API}"] }},
    {{ name = "scope", format = "space-separated-values", values = ["read"] }},
]
"""


class Scene:
    def __init__(self, elbow: Elbow, provider: Provider, port: int) -> None:
        self._refused = 0
        self.checks = Checks()
        self.elbow = elbow
        self.provider = provider
        self.site = Client(HOST, port, elbow.tls())
        self.tokens = Client("localhost", provider.port, elbow.tls())

    def token(self, client: str = "program", resource: str = API, scope: str = "read write") -> str:
        form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        answer = self.tokens.ask("/token", {"Authorization": basic(client, "program")}, form)
        return answer.json()["access_token"]

    def present(self, token: str | None, path: str = "/api/a") -> Answer:
        return self.site.ask(path, {"Authorization": f"Bearer {token}"} if token else {})

    def refused(self, claim: str, token: str | None, status: int, reason: str, path: str = "/api/a") -> Answer:
        self._refused += 1
        mark = f"{path}?{self._refused}"
        answer = self.present(token, mark)
        logged = lambda: [line["error_reason"] for line in self.elbow.log() if line["request_url"].endswith(mark)]  # noqa: E731
        claim = f"{status}, {reason}: {claim}"
        self.checks.in_time(claim, lambda: (answer.status, logged()) == (status, [reason]), 5)
        return answer


def good_and_bad(scene: Scene) -> str:
    checks, good = scene.checks, scene.token()
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    checks.equal("the provider's token is signed with RS256", (header["alg"], header["typ"]), ("RS256", "at+jwt"))
    answer = scene.present(good)
    checks.equal("a good token passes", answer.status, 200)
    sent = [value for name, value in answer.json()["fields"] if name == "authorization"]
    checks.equal("and goes on unchanged", sent, [f"Bearer {good}"])
    brief = scene.token("brief program")
    checks.equal("a token passes while it lasts", scene.present(brief).status, 200)
    scene.refused("no token", None, 401, "JWTHeaderNotPresent")
    scene.refused("for another audience", scene.token(resource="https://other.example.com"), 401, "JWTClaimValueInvalid")
    scene.refused("another issuer", good, 401, "JWTClaimValueInvalid", "/other-issuer")
    scene.refused("without the scope", scene.token(scope="write"), 401, "JWTClaimValueInvalid")
    head, signature = good.rsplit(".", 1)
    turned = bytes(byte ^ 1 for byte in base64.urlsafe_b64decode(signature + "=="))
    bad = "JWTSignatureValidationError"
    scene.refused("a signature with bits turned", f"{head}.{base64.urlsafe_b64encode(turned).decode().rstrip('=')}", 401, bad)
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    scene.refused("signed by somebody else", jwt.encode(claims, own, "RS256", {"kid": header["kid"]}), 401, bad)
    public = own.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    scene.refused("HMAC in place of RSA", jwt.encode(claims, public, "HS256", {"kid": header["kid"]}), 401, bad)
    scene.refused("signed by nobody", jwt.encode(claims, None, "none", {"kid": header["kid"]}), 401, bad)
    expires = jwt.decode(brief, options={"verify_signature": False})["exp"]
    time.sleep(max(0.0, expires - time.time()))
    scene.refused("expired", brief, 401, "JWTClaimValueInvalid")
    return good


def unknown(claims: dict[str, object], kid: str) -> str:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, own, "RS256", {"kid": kid})


def without_keys(scene: Scene, good: str) -> None:
    """The kept keys are what counts when the endpoint hangs or is gone."""
    checks, claims = scene.checks, jwt.decode(good, options={"verify_signature": False})
    scene.provider.pause()
    answer = scene.present(good)
    checks.check("while the endpoint hangs, the kept keys go on, at once", answer.status == 200 and answer.seconds < 2, answer)
    answer = scene.present(unknown(claims, "unknown"))
    checks.check("a key that nobody knows is answered in time", answer.status == 401 and answer.seconds < 7, answer)
    again = scene.present(unknown(claims, "unknown-too"))
    checks.check("and the next one at once", again.status == 401 and again.seconds < 2, again)
    scene.provider.go_on()
    scene.provider.stop()
    answer = scene.present(good)
    checks.check("without the endpoint, too", answer.status == 200 and answer.seconds < 2, answer)
    scene.elbow.reload()
    answer = scene.present(good)
    checks.check("after a reload, too", answer.status == 200 and answer.seconds < 2, answer)
    answer = scene.refused("keys that never came", good, 562, "JWKSRequestFailed", "/elsewhere")
    checks.check("at once, if nobody listens there", answer.seconds < 2, answer)
    scene.provider.start()
    checks.in_time("which ends when they can be had", lambda: scene.present(good, "/elsewhere").status == 200)


def main() -> None:
    port, provider_port = free_ports(2)
    with Elbow("tokens", SEEN) as elbow, Provider(elbow.folder, provider_port, []) as provider:
        rules = [
            validation("/api/*", provider, provider.url),
            validation("/other-issuer", provider, "https://other.example.com"),
            # Another place, as far as the balancer knows: its keys are kept apart.
            validation("/elsewhere", provider, provider.url).replace("/jwks", "/jwks?elsewhere"),
        ]
        elbow.configure(listener(port, rules) + target(serve_echo()))
        elbow.start()
        scene = Scene(elbow, provider, port)
        good = good_and_bad(scene)
        without_keys(scene, good)
    scene.checks.end()


if __name__ == "__main__":
    main()
