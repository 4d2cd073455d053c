"""More tokens whose makers document their form, beside those of secret_corpus.py."""

# ruff: noqa: E501 - rows of data

from __future__ import annotations

from tests.unit.image.secret_corpus import _DIGITS, _HEX, _LOWER, _UPPER, _url, _uuid, _word

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

TOKENS = {
    "AWS session": "IQoJb3JpZ2lu" + "X2Vj" + _word(300),
    "AWS session, earlier": "FwoGZXIv" + "YXdzE" + _word(200),
    "AWS Bedrock, short": "bedrock-api" + "-key-YmVkcm9jay5hbWF6b25hd3MuY29t" + _word(60),
    "Tencent": "AK" + "ID" + _word(31) + "7",
    "Volcengine": "AK" + "LT" + _word(45) + "7",
    "Yandex OAuth": "y0" + "_" + _word(57) + "7",
    "Yandex IAM": "t1" + "." + _word(120) + "." + _word(86),
    "Aiven": "AVNS" + "_" + _word(18) + "7",
    "MongoDB Atlas": "mdb" + "_sa_sk_" + _word(40),
    "Neon": "napi" + "_" + _word(64, _LOWER + _DIGITS),
    "CockroachDB": "CCDB1" + "_" + _word(22) + "_" + _word(40),
    "Elastic": "essu" + "_" + _word(60),
    "Vercel": "vcp" + "_" + _word(27) + "-_" + _word(27),
    "Vercel Blob": "vercel" + "_blob_rw_" + _word(16) + "_" + _word(30),
    "RunPod": "rpa" + "_" + _word(40, _UPPER + _DIGITS) + _word(6, _LOWER),
    "Modal": "as" + "-" + _word(21) + "7",
    "ngrok": "2" + _word(26) + "_" + "5" + _word(20),
    "Together": "tgp" + "_v1_" + _url(32),
    "Cerebras": "csk" + "-" + _word(48, _LOWER + _DIGITS),
    "Langfuse": "sk-lf" + "-" + _uuid(),
    "DeepSeek": "sk" + "-" + _word(32, _HEX),
    "Stability": "sk" + "-" + _word(48),
    "ElevenLabs": "sk" + "_" + _word(48, _HEX),
    "Knock": "sk" + "_" + _word(39) + "7",
    "Checkout.com": "sk" + "_sbox_" + _uuid(),
    "Fireworks": "fw" + "_" + _word(23) + "7",
    "Voyage": "pa" + "-" + _word(42) + "7",
    "E2B": "e2b" + "_" + _word(40, _HEX),
    "Anyscale": "esecret" + "_" + _word(25, _LOWER) + "7",
    "Apify": "apify" + "_api_" + _word(36),
    "Slack cookie": "xoxd" + "-" + _word(60) + "%2F" + _word(60),
    "HubSpot": "pat" + "-na1-" + _uuid(),
    "Dropbox": "sl" + ".u." + _word(140),
    "X bearer": "A" * 22 + _word(30) + "%2B" + _word(40) + "%3D" + _word(20),
    "Instagram": "IGQ" + "VJ" + _word(130),
    "Trello": "ATTA" + _word(64, _HEX),
    "Intercom": "dG9r" + "O" + _word(54) + "=",
    "Salesforce": "00D" + _word(12) + "!" + _word(96),
    "Canva": "cnv" + "ca" + _word(40),
    "GoCardless": "live" + "_" + _word(39) + "7",
    "Lob": "live" + "_" + _word(35, _HEX),
    "Snyk": "snyk" + "_uat." + _word(8) + "." + _word(22) + "." + _word(43),
    "Socket": "sktsec" + "_" + _word(46) + "_api",
    "Checkly": "cu" + "_" + _word(32, _HEX),
    "Honeycomb": "hca" + "ik_" + _word(58, _LOWER + _DIGITS),
    "dbt": "dbtu" + "_" + _word(43) + "7",
    "Materialize": "mzp" + "_" + _word(64, _HEX),
    "Infisical": "st" + "." + _word(24, _HEX) + "." + _word(32, _HEX) + "." + _word(32, _HEX),
    "Ory": "ory" + "_pat_" + _word(32),
    "Unkey": "unkey" + "_" + _word(21) + "7",
    "Zuplo": "zpka" + "_" + _word(32, _HEX) + "_" + _word(8, _HEX),
    "Permit.io": "permit" + "_key_" + _word(86),
    "Polar": "polar" + "_oat_" + _word(43),
    "Cal.com": "cal" + "_live_" + _word(32, _HEX),
    "Inngest": "signkey" + "-prod-" + _word(64, _HEX),
    "Trigger.dev": "tr" + "_prod_" + _word(19) + "7",
    "Telnyx": "KEY" + "01" + _word(30, _DIGITS + "ABCDEF") + "_" + _word(22),
    "ClickUp": "pk" + "_1234567_" + _word(32, _UPPER + _DIGITS),
    "Mercado Pago": "APP" + "_USR-1234567890123456-010112-" + _word(32, _HEX) + "-12345678",
    "Adafruit IO": "aio" + "_" + _word(27) + "7",
    "WakaTime": "waka" + "_" + _uuid(),
    "Anaconda": "https://conda.anaconda" + ".org/t/ab-" + _uuid() + "/main",
    "JSON web token, encrypted": "eyJhbGciOi"
    + "JkaXIiLCJlbmMiOiJBMjU2R0NNIn0.."
    + f"{_word(16)}.{_word(60)}.{_word(22)}",
    "wallet": "xprv" + _word(107, _BASE58),
    "Nostr": "nsec" + "1" + _word(58, _BECH32),
    "Borg": "BORG" + "_KEY " + _word(64, _HEX) + "\nhqlhbGdvcml0aG2mc2hhMjU2\n",
    "SSH protocol 1": "SSH PRIVATE KEY " + "FILE FORMAT 1.1\n\0\0",
    "Amazon MWS": "amzn" + ".mws." + _uuid(),
    "Gemini, current": "AQ" + ".Ab8RN6" + _word(45),
    "Mailgun, current": _word(32, _HEX) + "-" + _word(8, _HEX) + "-" + _word(8, _HEX),
    "Microsoft workflow": "https://prod-12.westeurope.logic."
    + "azure.com:443/workflows/"
    + _word(32, _HEX)
    + "/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Frun&sv=1.0&sig="
    + _word(43),
    "Slack workflow": "https://hooks.slack."
    + "com/workflows/T"
    + _word(9, _UPPER)
    + "/A"
    + _word(10, _UPPER)
    + "/"
    + _word(18, _DIGITS)
    + "/"
    + _word(24),
    "Confluent": "cf" + "lt" + _word(59) + "7",
    "Databricks, OAuth": "do" + "se" + _word(32, _HEX),
    "Dynatrace, platform": "dt0" + "s16." + _word(8, _UPPER) + "." + _word(64, _UPPER + _DIGITS),
    "Honeycomb, configuration": "hc" + "xik_" + _word(58, _LOWER + _DIGITS),
    "Figma, OAuth": "fi" + "gu_" + _word(40),
    "Sourcegraph.com": "sg" + "d_" + _word(64, _HEX),
    "Segment": "sg" + "p_" + _word(64),
    "Packagist": "packagist" + "_uut_" + _word(68, _HEX),
    "Stytch": "secret-" + "live-" + _word(35) + "=",
    "Facebook app": _word(16, _DIGITS) + "|" + _word(27),
    "LinkedIn": "WPL" + "_AP1." + _word(16) + "." + _word(8) + "==",
    "Salesforce, refresh": "5Aep" + "861" + _word(80),
    "Zoho": "1000" + "." + _word(32, _HEX) + "." + _word(32, _HEX),
    "Sanity": "s" + "k" + _word(178),
    "Unleash": "default:" + "production." + _word(56, _HEX),
    "Flagsmith": "se" + "r." + _word(22),
    "Statsig": "sec" + "ret-" + _word(43),
    "GrowthBook": "secret" + "_admin_" + _word(40),
    "Adyen": "AQ" + "Eyhmfx" + _word(90) + "==-" + _word(43) + "=-" + _word(16),
    "Mollie": "li" + "ve_" + _word(29) + "7",
    "DeepL": _uuid() + ":" + "fx",
    "VK": "vk1" + ".a." + _word(190),
    "MailerSend": "ml" + "sn." + _word(64, _HEX),
    "Courier": "pk_" + "prod_" + _word(28, _UPPER + _DIGITS),
    "OneSignal": "os_v2" + "_app_" + _word(103, _LOWER + _DIGITS),
    "PagerDuty": "u" + "+7" + _word(17),
    "Rootly": "root" + "ly_" + _word(64, _HEX),
    "Retool": "ret" + "ool_" + _word(30),
    "Val Town": "vt" + "wn_" + _word(40),
    "Deno Deploy": "dd" + "p_" + _word(36),
    "Ghost": _word(24, _HEX) + ":" + _word(64, _HEX),
    "Matrix": "sy" + "t_" + _word(12) + "_" + _word(20, _LOWER) + "_" + _word(6),
    "Rancher": "tok" + "en-" + _word(5, _LOWER) + ":" + _word(54, _LOWER + _DIGITS),
    "K3s": "K" + "10" + _word(64, _HEX) + "::server:" + _word(32, _HEX),
    "Docker Swarm, join": "SWM"
    + "TKN-1-"
    + _word(50, _LOWER + _DIGITS)
    + "-"
    + _word(25, _LOWER + _DIGITS),
    "Docker Swarm, unlock": "SWM" + "KEY-1-" + _word(43),
    "Portainer": "pt" + "r_" + _word(43) + "=",
    "Thunderstore": "ts" + "s_" + _word(40),
    "Snowflake": "ver:1-hint:2277749-" + "ETMs" + "DgAAA" + _word(160),
}
# tokens that are not found in a program: other bytes look like them, or words touch them
TEXT_ALONE = {
    "Tencent", "Volcengine", "Yandex OAuth", "Yandex IAM", "Vercel", "RunPod", "Modal", "ngrok", "Cerebras",
    "DeepSeek", "Stability", "ElevenLabs", "Knock", "Checkout.com", "Fireworks", "Voyage", "Anyscale", "Dropbox", "X bearer",
    "Trello", "Intercom", "Salesforce", "Canva", "GoCardless", "Lob", "Checkly", "dbt", "Infisical", "Ory",
    "Unkey", "Trigger.dev", "ClickUp", "Adafruit IO", "wallet", "Nostr",
    "Adyen", "Confluent", "DeepL", "Deno Deploy", "Facebook app", "Flagsmith", "Ghost", "Mailgun, current",
    "Mollie", "PagerDuty", "Portainer", "Retool", "Sanity", "Statsig", "Thunderstore", "Unleash",
}  # fmt: skip # a list of names
