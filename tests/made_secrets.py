"""Secrets made up in the forms of many providers, and texts that only look as if they held one.

No secret stands here whole: `{w36}` is 36 letters and digits, drawn anew for each.
"""

# ruff: noqa: E501, RUF001 - texts as they come
from __future__ import annotations

import random
import re
import string

_SIGNS = {
    "w": string.ascii_letters + string.digits,
    "h": "0123456789abcdef",
    "u": string.ascii_uppercase + "234567",
    "l": string.ascii_lowercase + string.digits,
    "b": string.ascii_letters + string.digits + "+/",
    "x": string.ascii_letters + string.digits + "-_",
    "d": string.digits,
    "p": string.ascii_letters,
}


def made(form: str, seed: int = 0) -> str:
    """Return a text with random signs for its fields."""
    drawn = random.Random(f"{form} {seed}")

    def signs(field: re.Match[str]) -> str:
        return "".join(drawn.choices(_SIGNS[field[1]], k=int(field[2])))

    return re.sub(r"\{([whulbxdp])(\d+)\}", signs, form)


CHOSEN = [
    # A text, and the secret of it.
    ("The CI pushes with {}.", "ghp_{w36}"),
    ("GITHUB_TOKEN={}", "github_pat_{w22}_{w59}"),
    ('{"token": "{}"}', "gho_{w36}"),
    ("export AWS_ACCESS_KEY_ID={}", "AKIA{u16}"),
    ("aws_secret_access_key = {}", "{b40}"),
    ("AWS_SECRET_ACCESS_KEY={}\nAWS_REGION=eu-west-1", "{b40}"),
    ("bot token is {} for #ops", "xoxb-{d12}-{d12}-{w24}"),
    ("Stripe: {}", "sk_live_{w24}"),
    ("คีย์ของ OpenAI คือ {} ครับ", "sk-proj-{x74}T3BlbkFJ{x74}"),
    ("old OpenAI key {}", "sk-{w20}T3BlbkFJ{w20}"),
    ("ANTHROPIC_API_KEY={}", "sk-ant-api03-{x93}AA"),
    ("GOOGLE_API_KEY: {}", "AIza{x35}"),
    ("curl -H 'Authorization: Bearer {}'", "eyJ{w30}.eyJ{w120}.{x43}"),
    ("id_token={}&state=1", "eyJ{w30}.eyJ{w60}.{x86}"),
    ("postgresql://app:{}@db.internal:5432/app", "p4{w8}!"),
    ("mongodb+srv://root:{}@cluster0.mongodb.net", "Zz{w12}"),
    ("redis://:{}@cache:6379/0", "{w20}"),
    ("Server=tcp:db;User Id=sa;Password={};Encrypt=true", "aB3{w8}"),
    ("glab auth: {}", "glpat-{x20}"),
    ("//registry.npmjs.org/:_authToken={}", "npm_{w36}"),
    ("hf login with {}", "hf_{p34}"),
    ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x", "{b86}=="),
    ("https://hooks.slack.com/services/{}", "T{u10}/B{u10}/{w24}"),
    ("SENDGRID={}", "SG.{x22}.{x43}"),
    ("bot {} answers in the group", "{d10}:AA{x33}"),
]
"""Those that the forms were tried on while they were written."""

UNSEEN = [
    ("TWINE_PASSWORD={}", "pypi-AgEIcHlwaS5vcmc{x150}"),
    ("docker login -p {}", "dckr_pat_{x27}"),
    ("workflow: ghs: {}", "ghs_{w36}"),
    ("temporary: {}", "ASIA{u16}"),
    ('{"SecretAccessKey": "{}", "Expiration": "2026"}', "{b40}"),
    ("secretAccessKey: '{}'", "{b40}"),
    ("SLACK_APP_TOKEN={}", "xapp-1-A{u10}-{d13}-{h64}"),
    ("wf {}", "xoxp-{d12}-{d12}-{d12}-{h32}"),
    ("Restricted key {} was rolled", "rk_live_{w99}"),
    ("STRIPE_WEBHOOK_SECRET={}", "whsec_{b32}"),
    ("La clave de GROQ es {}", "gsk_{w52}"),
    ("XAI_API_KEY={}", "xai-{w80}"),
    ("clé Perplexity : {}", "pplx-{w48}"),
    ("NGC: {}", "nvapi-{x64}"),
    ("deepseek のキーは {} です", "sk-{h32}"),
    ("OPENROUTER={}", "sk-or-v1-{h64}"),
    ("client_secret: {}", "GOCSPX-{x28}"),
    ("access token {}", "ya29.a0{x180}"),
    ("refresh {}", "1//0{x60}"),
    ("AZURE_CLIENT_SECRET={}", "{w3}8Q~{x34}"),
    ("Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=R;SharedAccessKey={}", "{b43}="),
    ("AIRTABLE={}", "pat{w14}.{h64}"),
    ("MAILCHIMP={}", "{h32}-us12"),
    ("TFE {}", "{w14}.atlasv1.{x67}"),
    ("VAULT_TOKEN={}", "hvs.{x95}"),
    ("DATABRICKS_TOKEN={}", "dapi{h32}"),
    ("doctl auth: {}", "dop_v1_{h64}"),
    ("NOTION: {}", "ntn_{w46}"),
    ("Linear: {}", "lin_api_{w40}"),
    ("figma {}", "figd_{x40}"),
    ("postman {}", "PMAK-{h24}-{h34}"),
    ("GRAFANA_TOKEN={}", "glsa_{w32}_{h8}"),
    ("SENTRY_AUTH_TOKEN={}", "sntryu_{h64}"),
    ("shop token: {}", "shpat_{h32}"),
    ("TS_AUTHKEY={}", "tskey-auth-k{w16}-{w32}"),
    ("LINE_CHANNEL_ACCESS_TOKEN={}", "{b146}1O/w1cDnyilFU="),
    ("DISCORD_WEBHOOK=https://discord.com/api/webhooks/{}", "{d19}/{x68}"),
    ("jira: {}", "ATATT3xFfGF0{x180}"),
    ("age: {}", "AGE-SECRET-KEY-1{u58}"),
    ("curl -H 'Authorization: Basic {}' https://x", "dXNl{w20}9=="),
    ('curl -H "Authorization: Bearer {}"', "{w40}7"),
    ("mysql://root:{}@10.0.0.5/shop?ssl=true", "{w10}"),
    ("amqps://svc:{}@mq.example.com/vhost", "{w16}"),
    ("https://oauth2:{}@gitlab.com/group/repo.git", "glpat-{x20}"),
    ("https://{}@github.com/me/repo", "ghp_{w36}"),
    ("Host=db;Username=app;Password={};Database=prod", "{w12}"),
    ("host=db port=5432 user=app password={} dbname=prod", "{w12}"),
    ("jdbc:postgresql://db/app?user=app&password={}&ssl=true", "{w12}"),
    ('log: {"msg":"line\\n{}\\nend"}', "ghp_{w36}"),
    ("redirect?token%3D{}%26x", "xoxb-{d12}-{d12}-{w24}"),
    ("รหัส{}ใช้กับ repo", "ghp_{w36}"),
    ("Supabase service: {}", "eyJ{w33}.eyJ{w150}.{x43}"),
    ("sbp: {}", "sbp_{h40}"),
    ("resend: {}", "re_{w8}_{w24}"),
    ("langsmith: {}", "lsv2_pt_{h32}_{h10}"),
    ("cerebras {}", "csk-{l48}"),
    ("brevo {}", "xkeysib-{h64}-{w16}"),
    ("artifactory {}", "AKCp{w69}"),
    ("Replicate: {}", "r8_{w37}"),
    ("x-api-key: {}", "{w40}7"),
    ("PREFECT_API_KEY={}", "pnu_{w36}"),
    ("oc login --token={}", "sha256~{x43}"),
    ("octo --apiKey {}", "API-{u26}"),
    ("maxmind {}", "{w6}_{w29}_mmk"),
    ("readme {}", "rdme_{l70}"),
    ("pscale {}", "pscale_tkn_{x43}"),
    (
        "https://acme.webhook.office.com/webhookb2/{}",
        "{h8}-{h4}-{h4}-{h4}-{h12}@{h8}-{h4}-{h4}-{h4}-{h12}/IncomingWebhook/{h32}/{h8}-{h4}-{h4}-{h4}-{h12}",
    ),
]
"""Those that were written before, and first looked at after."""
_LINE = "{b64}\n"
BLOCKS = [
    f"-----BEGIN {kind}PRIVATE KEY-----\n{_LINE * 6}{{b30}}==\n-----END {kind}PRIVATE KEY-----"
    for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA ")
] + [
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n" + _LINE * 9
    + "{b20}\n=aB3d\n-----END PGP PRIVATE KEY BLOCK-----",
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{h32}\n\n"
    + _LINE * 5 + "-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\\n{b64}\\n{b64}\\n{b12}\\n-----END PRIVATE KEY-----\\n",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n    {b70}\n    {b70}\n    {b22}\n",
]  # fmt: skip
"""Private keys: of PEM, OpenSSH and PGP, with headers, in JSON, indented and cut off."""

HARMLESS = [
    # Of version control, builds and registries.
    "Fixed in commit 9fceb02d0ae598e95dc970b74767f19372d61af8.",
    "git checkout 8d93d50 && git rebase --onto main 4b96722",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "integrity sha512-" + "Zm9vYmFyYmF6" * 7 + "==",
    "The image is ghcr.io/acme/api@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
    "md5 of the backup: d41d8cd98f00b204e9800998ecf8427e",
    "go.sum: github.com/pkg/errors v0.9.1 h1:FEBLx1zS214owpjy7qsBeixbURkuhQAwrK5UwLGTwt4=",
    "Branch feature/sk-login-page-with-very-long-name-for-slovak-users is merged.",
    "The package sk-learn-extensions-for-time-series-forecasting-v2 is broken.",
    "Use hf_transfer=1 to download faster, and hf_hub_download for single files.",
    "npm_config_registry must point at the mirror; npm_package_version is set by npm.",
    "CSS: .xai-container and .sk-circle-fade-dot-animation-container-element",
    # Ids.
    "Ticket ABC-1234567 duplicates PROJ-98765432101234.",
    "The row is 123e4567-e89b-12d3-a456-426614174000.",
    "trace 4bf92f3577b34da6a3ce929d0e0e4736, span 00f067aa0ba902b7",
    "Order SO-2026-00012345-ABCDEFGH was shipped as 1Z999AA10123456784.",
    "arn:aws:iam::123456789012:role/AKIA-reader",
    "The S3 bucket is s3://akia-logs-archive-eu-west-1-prod/2026/11/28/",
    "customer cus_NffrFeUfNV2Hib paid with pm_1MqLiJLkdIwHu7ixUEgbFdYF, charge ch_3MmlLrLkdIwHu7ix0snN0B15",
    "Publishable key pk_live_51H8xyzABCDEFGHIJKLMNOPQRST is in the page, as it may be.",
    "ULID 01ARZ3NDEKTSV4RRFFQ69G5FAV, nanoid V1StGXR8_Z5jdHi6B-myT, KSUID 0ujtsYcgvSTl8PAuAdqWYSMnLOv",
    "youtube.com/watch?v=dQw4w9WgXcQ and docs.google.com/document/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit",
    'ETag W/"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "bitcoin address 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa, ethereum 0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@laptop",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ1fjPQ6l7q0v0Zr6M9y8Wq0T9J4wCgYIKoZIzj0EAwIw\n-----END CERTIFICATE-----",
    "Der Fingerabdruck ist SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDlZ7mT3nTqvJpnb8Q.",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbImEudHMiXSwibmFtZXMiOltdfQ==",
    'The payload eyJhIjoxfQ== decodes to {"a":1}.',
    # Words for secrets.
    "The password must have 12 characters, with a digit.",
    "password=password is refused by the form.",
    "Set DB_PASSWORD in .env, never in compose.yaml.",
    "postgres://user:password@localhost:5432/db is the example of the README.",
    "DATABASE_URL=postgres://${DB_USER}:${DB_PASSWORD}@${DB_HOST}/app",
    "redis://:$REDIS_PASSWORD@cache:6379",
    "mongodb://<user>:<password>@<host>/<db>",
    "amqp://guest:guest@localhost:5672/",
    "postgresql://postgres:postgres@localhost/test for local tests",
    "psycopg2.connect(host=host, user=user, password=password)",
    "conn = connect(host=cfg.host, password=os.environ['PGPASSWORD'], port=5432)",
    "Server=db;User Id=sa;Password={password};Encrypt=true",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $GITHUB_TOKEN",
    "-H 'Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_HERE'",
    "The Authorization: Basic scheme sends the password in clear.",
    "Use sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx as a placeholder.",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx goes into GITHUB_TOKEN.",
    "GitHub tokens begin with ghp_, gho_ or github_pat_, Slack's with xoxb-, OpenAI's with sk-proj-.",
    "AWS access keys begin with AKIA, temporary ones with ASIA.",
    "A file with -----BEGIN RSA PRIVATE KEY----- in it is refused by the hook.",
    "Between -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY----- there is base64.",
    "A JWT is header.payload.signature, and the header begins with eyJ.",
    "x-api-key: <your key>",
    "AccountKey=<key>; take it from the vault",
    "secret_key_base is read from credentials.yml.enc",
    "The secret is to rest the dough overnight.",
    # In other languages.
    "Das Passwort für das WLAN steht auf dem Router, der Schlüssel liegt beim Hausmeister.",
    "Mot de passe oublié : le lien expire après 15 minutes.",
    "La contraseña por defecto es la misma que el usuario.",
    "รหัสผ่านต้องยาว 12 ตัวอักษร และโทเคนหมดอายุใน 1 ชั่วโมง",
    "密码必须至少12个字符，令牌每小时过期一次。",
    "パスワードは12文字以上、トークンは1時間で切れます。",
    "Пароль должен быть не короче 12 символов, токен живёт час.",
    "비밀번호는 12자 이상이어야 하고 토큰은 한 시간 뒤 만료된다.",
    "टोकन एक घंटे में समाप्त होता है, पासवर्ड बदलें।",
    "رمز عبور باید دست‌کم ۱۲ نویسه باشد.",
    # Code and addresses.
    "https://example.com:8443/path?user=ann&token=abc",
    "ssh://git@github.com:22/acme/api.git, and mail to ops@example.com",
    "see http://localhost:3000/@scope/package@1.2.3",
    "const key = crypto.randomBytes(32).toString('hex')",
    "if (session_token === null) return redirect('/login')",
    "kubectl get secret db-credentials -o jsonpath='{.data.password}' | base64 -d",
    "const EMPTY = '" + "0" * 64 + "'",
    "re_compile_all_patterns_at_import_time_is_slow_in_python_3",
    "v1.0-rc.2, v1.0-beta, dapi is Dutch Accessible PI; key-value stores; SG. Dynamo",
    "The model is xai-org/grok-1-mixture-of-experts-base-weights-fp8 on the hub.",
    "access-sandbox-environment-for-testing is the name of the cluster",
]
