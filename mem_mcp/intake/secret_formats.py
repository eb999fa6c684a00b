"""The forms that providers give their keys and tokens, and where each is published.

What makes a secret known is what its provider put into it so that it can be told: a prefix, a mark
in its middle, a header before it. Nothing is guessed from randomness.
"""

from __future__ import annotations

from typing import NamedTuple

_W = r"[\w-]"
_A = "[A-Za-z0-9]"
_HEX = "[0-9a-f]"
_B64 = "[A-Za-z0-9+/]"


class PrefixedForm(NamedTuple):
    """A secret that begins with a text of its own."""

    what: str
    """Its name in the mask."""
    begins: tuple[str, ...]
    """Any of these, to the letter."""
    follows: str
    """Pattern of what comes after it. Bounded, or of characters that may not stand before it."""
    source: str
    """Where the form is published."""


PREFIXED = tuple(
    PrefixedForm(what, tuple(begins.split()), follows, source)
    for what, begins, follows, source in (
        ("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_",
         rf"[A-Za-z0-9_]{{36,255}}(?:\.{_W}{{10,2000}}){{0,2}}",
         "docs.github.com: GitHub's token formats"),
        ("GitHub token", "github_pat_", r"\w{36,255}", "docs.github.com, likewise"),
        ("GitLab token",
         "glpat- gldt- glrt- glrtr- glcbt- glptt- "
         "glft- glimt- glagent- gloas- glsoat- glffct- glwt-",
         rf"{_W}{{20,300}}(?:\.[0-9a-z]{{2}}\.[0-9a-z]{{9}})?", "docs.gitlab.com: token prefixes"),
        ("Slack token",
         "xoxb- xoxp- xoxa- xoxr- xoxs- xoxo- xoxe- xoxc- xoxe.xoxb- xoxe.xoxp- xapp-",
         rf"(?={_W}{{0,40}}\d){_W}{{16,500}}", "docs.slack.dev: token types"),
        ("Slack cookie", "xoxd-", r"[\w%+/-]{40,500}=*", "docs.slack.dev, likewise"),
        ("Stripe key", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_", rf"{_A}{{16,250}}",
         "docs.stripe.com: API keys"),
        ("webhook secret", "whsec_", rf"{_B64}{{24,100}}={{0,2}}",
         "docs.stripe.com and the Standard Webhooks specification"),
        ("Anthropic key", "sk-ant-", rf"[a-z]{{3,8}}\d\d-{_W}{{40,200}}",
         "platform.claude.com: API keys"),
        ("OpenRouter key", "sk-or-v1-", rf"{_HEX}{{64}}", "openrouter.ai: authentication"),
        ("Langfuse key", "sk-lf-", rf"{_HEX}{{8}}(?:-{_HEX}{{4,12}}){{4}}", "langfuse.com"),
        ("OpenAI key", "sk-proj- sk-svcacct- sk-admin- sk-service-", rf"{_W}{{32,300}}",
         "platform.openai.com: API keys"),
        # DeepSeek, Moonshot and others that speak OpenAI's protocol have the same form.
        ("API key", "sk-", rf"{_A}{{32,100}}", "platform.openai.com, api-docs.deepseek.com"),
        ("Google API key", "AIza", rf"{_W}{{35}}", "cloud.google.com: API keys"),
        ("Google OAuth secret", "GOCSPX-", rf"{_W}{{28}}", "developers.google.com: OAuth 2.0"),
        ("Google OAuth token", "ya29.", rf"{_W}[\w.-]{{29,2000}}",
         "developers.google.com: OAuth 2.0"),
        ("Google refresh token", "1//0", rf"{_W}{{40,300}}", "developers.google.com: OAuth 2.0"),
        ("AWS access key", "AKIA ASIA ABIA ACCA", "[A-Z0-9]{16}",
         "docs.aws.amazon.com: IAM identifiers, unique ID prefixes"),
        ("AWS Bedrock key", "ABSK bedrock-api-key-", rf"{_B64}{{100,2000}}={{0,2}}",
         "docs.aws.amazon.com: Amazon Bedrock API keys"),
        ("npm token", "npm_", rf"{_A}{{36}}", "docs.npmjs.com: access tokens"),
        ("PyPI token", "pypi-AgE", rf"{_W}{{50,1000}}", "pypi.org/help: API tokens"),
        ("RubyGems key", "rubygems_", rf"{_HEX}{{48}}", "guides.rubygems.org: API key"),
        ("Docker token", "dckr_pat_ dckr_oat_", rf"{_W}{{27,60}}", "docs.docker.com"),
        ("Hugging Face token", "hf_ api_org_", rf"{_A}{{30,60}}", "huggingface.co/docs"),
        ("Replicate token", "r8_", rf"{_A}{{37}}", "replicate.com/docs"),
        ("Groq key", "gsk_", rf"{_A}{{40,100}}", "console.groq.com/docs"),
        ("xAI key", "xai-", rf"{_A}{{60,120}}", "docs.x.ai"),
        ("Perplexity key", "pplx-", rf"{_A}{{40,100}}", "docs.perplexity.ai"),
        ("NVIDIA key", "nvapi-", rf"{_W}{{50,100}}", "docs.nvidia.com: NGC API keys"),
        ("Cerebras key", "csk-", r"[a-z0-9]{40,64}", "inference-docs.cerebras.ai"),
        ("Fireworks key", "fw_", rf"{_A}{{22,40}}", "docs.fireworks.ai"),
        ("Together key", "tgp_v1_", rf"{_W}{{40,60}}", "docs.together.ai"),
        ("Tavily key", "tvly-", rf"(?:dev-|prod-)?{_W}{{30,60}}", "docs.tavily.com"),
        ("LangSmith key", "lsv2_pt_ lsv2_sk_", rf"{_HEX}{{32}}_{_HEX}{{10}}", "docs.langchain.com"),
        ("Databricks token", "dapi dkea dsapi", rf"{_HEX}{{32}}(?:-\d)?", "docs.databricks.com"),
        ("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", rf"{_HEX}{{64}}",
         "docs.digitalocean.com"),
        ("Heroku key", "HRKU-", rf"{_W}{{36,70}}", "devcenter.heroku.com"),
        ("Netlify token", "nfp_", rf"{_A}{{36,50}}", "docs.netlify.com"),
        ("Fly token", "fm1r_ fm1a_ fm2_", rf"{_B64}{{60,4000}}={{0,3}}",
         "fly.io/docs: access tokens"),
        ("Supabase key", "sbp_ sb_secret_", rf"{_W}{{24,64}}", "supabase.com/docs: API keys"),
        ("PlanetScale secret", "pscale_tkn_ pscale_pw_ pscale_oauth_", r"[\w=.-]{32,64}",
         "planetscale.com/docs"),
        ("Neon key", "napi_", r"[a-z0-9]{50,80}", "neon.com/docs"),
        ("Linear key", "lin_api_ lin_oauth_", rf"{_A}{{40,64}}", "linear.app/developers"),
        ("Notion token", "ntn_ secret_", rf"{_A}{{43,50}}", "developers.notion.com"),
        ("Atlassian token", "ATATT3 ATCTT3 ATSTT3", r"[\w=-]{60,300}",
         "support.atlassian.com: API tokens"),
        ("Bitbucket password", "ATBB", rf"{_A}{{28,40}}", "support.atlassian.com: app passwords"),
        ("Figma token", "figd_ figdr_", rf"{_W}{{38,60}}", "developers.figma.com"),
        ("Postman key", "PMAK-", rf"{_HEX}{{24}}-{_HEX}{{34}}", "learning.postman.com"),
        ("New Relic key", "NRAK- NRAL- NRII-", r"[\w-]{27,40}", "docs.newrelic.com: API keys"),
        ("Grafana token", "glsa_", rf"{_A}{{32}}_[0-9A-Fa-f]{{8}}",
         "grafana.com/docs: service accounts"),
        ("Grafana token", "glc_", rf"{_B64}{{32,500}}={{0,2}}",
         "grafana.com/docs: access policies"),
        ("Sentry token", "sntrys_eyJ sntryu_", r"[\w+/=-]{48,500}", "docs.sentry.io: auth tokens"),
        ("SendGrid key", "SG.", rf"{_W}{{22}}\.{_W}{{43}}", "docs.sendgrid.com"),
        ("Mailgun key", "key-", rf"{_HEX}{{32}}", "documentation.mailgun.com"),
        ("Brevo key", "xkeysib- xsmtpsib-", rf"{_HEX}{{64}}-{_A}{{16}}", "developers.brevo.com"),
        ("Resend key", "re_", rf"{_A}{{8}}_{_A}{{24}}", "resend.com/docs"),
        ("Shopify token", "shpat_ shpca_ shppa_ shpss_", "[0-9A-Fa-f]{32}",
         "shopify.dev: access tokens"),
        ("Square token", "sq0atp- sq0csp- EAAA", rf"{_W}{{22,64}}", "developer.squareup.com"),
        ("Facebook token", "EAAC EAAB EAAG", rf"{_A}{{100,300}}",
         "developers.facebook.com: access tokens"),
        ("Plaid token", "access-sandbox- access-production-",
         rf"{_HEX}{{8}}(?:-{_HEX}{{4,12}}){{4}}", "plaid.com/docs"),
        ("Doppler token", "dp.pt. dp.ct. dp.sa. dp.scim. dp.audit.", rf"{_A}{{40,44}}",
         "docs.doppler.com: token formats"),
        ("Doppler token", "dp.st.", rf"(?:[\w-]{{2,35}}\.)?{_A}{{40,44}}",
         "docs.doppler.com, likewise"),
        ("Vault token", "hvs. hvb. hvr.", rf"{_W}{{24,300}}",
         "developer.hashicorp.com: Vault tokens"),
        ("Pulumi token", "pul-", rf"{_HEX}{{40}}", "pulumi.com/docs"),
        ("1Password token", "ops_eyJ", r"[\w+/=-]{100,4000}",
         "developer.1password.com: service accounts"),
        ("1Password secret key", "A3-",
         r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
         "support.1password.com: Secret Key"),
        ("age key", "AGE-SECRET-KEY-1", "[0-9A-Z]{58}", "age-encryption.org/v1"),
        ("Tailscale key", "tskey-api- tskey-auth- tskey-client- tskey-scim- tskey-webhook-",
         rf"{_A}{{6,30}}-{_A}{{20,60}}", "tailscale.com/kb: key prefixes"),
        ("Prefect key", "pnu_ pnb_", rf"{_A}{{36}}", "docs.prefect.io: API keys"),
        ("ReadMe key", "rdme_", "[a-z0-9]{70}", "docs.readme.com: API keys"),
        ("OpenShift token", "sha256~", rf"{_W}{{43}}", "docs.openshift.com: OAuth access tokens"),
        ("Octopus key", "API-", "[A-Z0-9]{25,32}", "octopus.com/docs: API keys"),
        ("Sourcegraph token", "sgp_", rf"(?:(?:{_HEX}{{16}}|local)_)?{_HEX}{{40}}",
         "sourcegraph.com/docs: access tokens"),
        ("Shippo token", "shippo_live_ shippo_test_", rf"{_HEX}{{40}}", "docs.goshippo.com"),
        ("SettleMint token", "sm_aat_ sm_pat_ sm_sat_", rf"{_A}{{16}}", "console.settlemint.com"),
        ("Scalingo token", "tk-us-", rf"{_W}{{48}}", "developers.scalingo.com"),
        ("Adobe secret", "p8e-", "[A-Za-z0-9]{32}", "developer.adobe.com: OAuth credentials"),
        ("Clojars token", "CLOJARS_", rf"{_HEX}{{60}}", "clojars.org: deploy tokens"),
        ("Artifactory key", "AKCp", rf"{_A}{{60,80}}", "jfrog.com/help: API keys"),
        ("Artifactory token", "cmVmdGtu", rf"{_A}{{50,64}}", "jfrog.com/help: reference tokens"),
        ("SonarQube token", "sqp_ squ_ sqa_", rf"{_HEX}{{40}}", "docs.sonarsource.com"),
        ("CircleCI token", "CCIPAT_ CCIPRJ_", rf"\w{{16,40}}_{_HEX}{{40}}", "circleci.com/docs"),
        ("Buildkite token", "bkua_", rf"{_HEX}{{40}}", "buildkite.com/docs"),
        ("Dynatrace token", "dt0c01. dt0s01. dt0s08.", r"[A-Z0-9]{8,24}\.[A-Z0-9]{64}",
         "docs.dynatrace.com: access tokens"),
        ("PostHog key", "phx_", rf"{_A}{{40,60}}", "posthog.com/docs: personal API keys"),
        ("Mapbox token", "sk.eyJ", rf"{_W}{{30,500}}\.{_W}{{16,64}}",
         "docs.mapbox.com: access tokens"),
        ("Typeform token", "tfp_", rf"{_W}{{40,80}}", "typeform.com/developers"),
        ("Contentful token", "CFPAT-", rf"{_W}{{40,50}}", "contentful.com/developers"),
        ("Origin CA key", "v1.0-", rf"{_HEX}{{24}}-{_HEX}{{146}}", "developers.cloudflare.com"),
        ("Yandex key", "AQVN y0_", rf"{_W}{{35,80}}", "yandex.cloud/docs: IAM"),
        ("Alibaba access key", "LTAI", rf"{_A}{{16,24}}", "alibabacloud.com/help: AccessKey"),
    )
)  # fmt: skip
"""Forms told by how they begin; the first that fits names a secret."""


class MarkedForm(NamedTuple):
    """A secret told by something in or around it; group 1 is the secret."""

    what: str
    gates: tuple[str, ...]
    """In small letters: where none of these stands in a text, nothing of this form does."""
    pattern: str
    source: str
    digits: int = 0
    """Digits of a hash that stand for it in the mask; 0 to show its last four characters instead.

    Three where it may be a word: they tell two apart, and not which of all words it is.
    """


_BEFORE = r"(?<![\w.+/-])"
_VALUE = r"""([^\s;&"'`,()<>]{1,200})(?=[\s;&"'`]|$)"""
_KEY = r"""["']?\s{0,3}(?:[:=]|=>|\bis\b)?\s{0,3}["']?"""

MARKED = (
    MarkedForm(
        "Slack webhook", ("hooks.slack.com",),
        r"hooks\.slack\.com/(?:services|workflows|triggers)/"
        r"([A-Z0-9]{6,20}/[A-Z0-9]{6,20}/[A-Za-z0-9/]{16,80})",
        "docs.slack.dev: incoming webhooks",
    ),
    MarkedForm(
        "Teams webhook", ("/webhookb2/",),
        r"\.webhook\.office\.com/webhookb2/([\w@-]{70,80}/\w{5,30}/[\w/-]{60,140})",
        "learn.microsoft.com: incoming webhooks",
    ),
    MarkedForm(
        "MaxMind key", ("_mmk",), rf"{_BEFORE}({_A}{{6}}_{_A}{{29}}_mmk)(?!\w)",
        "dev.maxmind.com: license keys", digits=8,
    ),
    MarkedForm(
        "Discord webhook", ("/api/webhooks/",),
        rf"discord(?:app)?\.com/api/webhooks/(\d{{16,20}}/{_W}{{60,100}})",
        "docs.discord.com: webhook resource",
    ),
    MarkedForm(
        "Azure key", ("accountkey", "sharedaccesskey", "sharedsecret"),
        rf"(?i:AccountKey|SharedAccessKey|SharedSecret(?:Key|Value)?)=({_B64}{{40,100}}={{0,2}})",
        "learn.microsoft.com: storage and event hub connection strings",
    ),
    MarkedForm(
        "signature of an Azure address", ("sig=",),
        r"(?<=[?&])sig=([A-Za-z0-9%/+]{43,80}(?:%3[Dd]|=))",
        "learn.microsoft.com: shared access signatures", digits=8,
    ),
    MarkedForm(
        "JWT", ("eyj",),
        rf"(eyJ(?<![\w-]eyJ){_W}{{8,4000}}\.eyJ{_W}{{6,8000}}\.{_W}{{16,1000}})",
        "RFC 7519, RFC 7515",
    ),
    MarkedForm(
        "JWE", ("eyj",),
        rf"(eyJ(?<![\w-]eyJ){_W}{{8,4000}}\.{_W}{{0,1000}}\.{_W}{{12,100}}\.{_W}{{8,8000}}\.{_W}{{16,100}})(?![\w.-])",
        "RFC 7516",
    ),
    MarkedForm(
        "AWS secret key", ("secret",),
        rf"(?i:secret[_ -]?(?:access[_ -]?)?key){_KEY}(?![0-9a-f]{{40}}\b)"
        rf"({_B64}{{40}})(?![\w+/=])",
        "docs.aws.amazon.com: AWS credentials file",
    ),
    MarkedForm(
        "AWS session token", ("session",),
        rf"(?i:session[_ -]?token){_KEY}({_B64}{{100,4000}}={{0,2}})",
        "docs.aws.amazon.com: AWS credentials file",
    ),
    MarkedForm(
        "Azure client secret", ("q~",), rf"{_BEFORE}([\w.~-]{{3}}\dQ~[\w.~-]{{31,34}})(?![\w.~-])",
        "learn.microsoft.com: Entra app registration",
    ),
    MarkedForm(
        "Azure DevOps token", ("azdo",), rf"{_BEFORE}({_A}{{76}}AZDO{_A}{{4}})(?![\w])",
        "learn.microsoft.com: personal access tokens",
    ),
    MarkedForm(
        "Terraform token", (".atlasv1.",), rf"{_BEFORE}({_A}{{14}}\.atlasv1\.{_W}{{60,80}})",
        "developer.hashicorp.com: HCP Terraform API tokens",
    ),
    MarkedForm(
        "Airtable token", ("pat",), rf"{_BEFORE}(pat{_A}{{14}}\.{_HEX}{{64}})(?!\w)",
        "airtable.com/developers",
    ),
    MarkedForm(
        "Mailchimp key", ("-us",), rf"{_BEFORE}({_HEX}{{32}}-us\d{{1,2}})(?![\w-])",
        "mailchimp.com/developer", digits=8,
    ),
    MarkedForm(
        "Telegram token", (":aa",), rf"(?<![\w.+/-])(?:bot)?(\d{{8,10}}:AA{_W}{{33}})(?![\w-])",
        "core.telegram.org/bots/api",
    ),
    MarkedForm(
        "LINE token", ("1o/w1cdnyilfu=",), rf"{_BEFORE}({_B64}{{100,200}}1O/w1cDnyilFU=)",
        "developers.line.biz: long-lived channel access tokens", digits=8,
    ),
    MarkedForm(
        "bearer token", ("bearer", "token"),
        r"(?i:authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|token))\s{1,3}"
        r"(?=[\w.~+/-]{0,60}\d)([\w.~+/-]{16,4000}={0,2})",
        "RFC 6750",
    ),
    MarkedForm(
        "key of a header", ("x-api-key", "x-auth-token"),
        r"(?i:x-api-key|x-auth-token)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?=[\w-]{0,60}\d)([\w.-]{16,300})",
        "docs.aws.amazon.com: API Gateway API keys",
    ),
    MarkedForm(
        "password of a header", ("basic",),
        rf"(?i:authorization[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?basic)\s{{1,3}}({_B64}{{8,500}}={{0,2}})",
        "RFC 7617", digits=3,
    ),
    MarkedForm(
        "password", ("://",),
        r"://(?<=\w://)[^\s:@/?#\"'`<>]{0,200}:([^\s/\"'`<>]{1,300})@(?=[\w\[])",
        "RFC 3986: userinfo", digits=3,
    ),
    MarkedForm(
        "password", ("password", "pwd"),
        rf"(?i:(?<=;)\s{{0,3}}(?:password|pwd)|(?<=[?&])password)\s?=\s?{_VALUE}",
        "learn.microsoft.com: connection strings; jdbc.postgresql.org", digits=3,
    ),
    MarkedForm(
        "password", ("password", "pwd"),
        r"(?i:\b(?:password|pwd))\s?=\s?([^\s;\"'`,()<>]{1,200});\s?(?i:[a-z][a-z ]{1,30})=",
        "learn.microsoft.com, likewise", digits=3,
    ),
    MarkedForm(
        "password", ("password",),
        rf"(?i:\b(?:host|hostaddr|user|dbname|port|sslmode)=[^\s,()]{{1,100}}\s{{1,3}}password=){_VALUE}",
        "postgresql.org/docs: connection strings", digits=3,
    ),
    MarkedForm(
        "password", ("password",),
        r"(?i:\bpassword=)([^\s;&\"'`,()<>]{1,200})\s{1,3}(?i:host|hostaddr|user|dbname|port|sslmode)=",
        "postgresql.org/docs, likewise", digits=3,
    ),
)  # fmt: skip
"""Forms told by a mark within, or by what stands before."""

_GAP = r"""(?:[\s>|"',]|\\[nr])"""
_PEM = (
    rf"(-----BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----{_GAP}{{1,40}}"
    rf"(?:[\w-]{{3,30}}: [^\n\\]{{1,200}}{_GAP}{{1,40}}){{0,6}}"
    rf"[A-Za-z0-9+/=]{{16,}}(?:{_GAP}{{1,40}}[A-Za-z0-9+/=]{{16,}})*"
    rf"(?:{_GAP}{{0,40}}(?:[A-Za-z0-9+/=]{{1,76}}{_GAP}{{0,40}}){{0,2}}"
    r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?)"
)
"""RFC 7468 and RFC 4880, also where line ends are escaped or the end is missing."""
_PUTTY = r"Private-Lines: \d{1,4}\s{1,4}((?:[A-Za-z0-9+/=]{16,76}\s{1,4}){1,200})"
"""The PuTTY manual, PPK file format."""
PRIVATE_KEYS = (("-----BEGIN ", _PEM), ("PuTTY-User-Key-File-", _PUTTY))
"""What stands in every text with such a key, and the pattern of the key, its group 1."""
