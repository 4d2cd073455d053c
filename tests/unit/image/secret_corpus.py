"""Names, values and tokens as they are seen in images: which are secrets, and which are not.

Tokens are made here, from a seed: no scanner and no push protection takes this file for a leak.
"""

# ruff: noqa: E501 - rows of data

from __future__ import annotations

import base64
import random

_DICE = random.Random(13)  # noqa: S311 - nothing is kept safe by it
_UPPER, _LOWER, _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
_ALNUM, _HEX = _UPPER + _LOWER + _DIGITS, "0123456789abcdef"


def _word(size: int, of: str = _ALNUM) -> str:
    return "".join(_DICE.choice(of) for _ in range(size))


def _b64(size: int) -> str:
    return base64.b64encode(_DICE.randbytes(size)).decode()


def _url(size: int) -> str:
    return base64.urlsafe_b64encode(_DICE.randbytes(size)).decode().rstrip("=")


def _uuid() -> str:
    return "-".join(_word(size, _HEX) for size in (8, 4, 4, 4, 12))


_JWT = "eyJhbGciOi" + "JIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJzdWIiOiJzdmMiLCJuIjoxfQ." + _url(32)

# tokens whose makers document their form
TOKENS = {
    "GitHub classic": "ghp" + "_" + _word(36),
    "GitHub OAuth": "gho" + "_" + _word(36),
    "GitHub app, user": "ghu" + "_" + _word(36),
    "GitHub app, server": "ghs" + "_" + _word(36),
    "GitHub refresh": "ghr" + "_" + _word(36),
    "GitHub fine-grained": "github" + "_pat_" + _word(22) + "_" + _word(59),
    "GitLab personal": "glpat" + "-" + _word(20),
    "GitLab routable": "glpat" + "-" + _word(27) + ".01." + _word(9, _LOWER + _DIGITS),
    "GitLab deploy": "gldt" + "-" + _word(20),
    "GitLab runner": "glrt" + "-" + _word(20),
    "GitLab trigger": "glptt" + "-" + _word(40, _HEX),
    "GitLab job": "glcbt" + "-64_" + _word(20),
    "GitLab agent": "glagent" + "-" + _word(50),
    "GitLab feed": "glft" + "-" + _word(20),
    "GitLab OAuth": "gloas" + "-" + _word(64, _HEX),
    "Slack bot": "xoxb" + f"-{_word(12, _DIGITS)}-{_word(12, _DIGITS)}-{_word(24)}",
    "Slack user": "xoxp" + f"-{_word(11, _DIGITS)}-{_word(12, _DIGITS)}-{_word(32, _HEX)}",
    "Slack app": "xapp" + f"-1-A{_word(10, _UPPER)}-{_word(13, _DIGITS)}-{_word(64, _HEX)}",
    "Slack webhook": "https://hooks.slack"
    + f".com/services/T{_word(9, _UPPER)}/B{_word(9, _UPPER)}/{_word(24)}",
    "Stripe": "sk" + "_live_" + _word(24),
    "Stripe, long": "sk" + "_live_51" + _word(97),
    "Stripe restricted": "rk" + "_live_" + _word(24),
    "Stripe webhook": "whsec" + "_" + _word(32),
    "AWS key id": "AKIA" + _word(16, _UPPER + "234567"),
    "AWS temporary key id": "ASIA" + _word(16, _UPPER + "234567"),
    "AWS secret, file": "aws_secret_" + "access_key = " + _b64(30),
    "AWS secret, JSON": '"SecretAccess' + f'Key": "{_b64(30)}"',
    "Google API key": "AIza" + "Sy" + _word(33),
    "Google client secret": "GOCSPX" + "-" + _word(28),
    "Google refresh token": "1/" + "/0" + _url(50),
    "Google access token": "ya29" + ".a0" + _url(100),
    "Azure storage": "DefaultEndpointsProtocol=https;AccountName=x;Account" + f"Key={_b64(64)}",
    "Azure service bus": "SharedAccessKeyName=Root;SharedAccess" + f"Key={_b64(32)}",
    "Azure SAS": "https://x.blob.core.windows.net/c?sv=2022-11-02&sp=r&s" + f"ig={_word(43)}%3D",
    "Entra client secret": _word(3) + "8Q" + "~" + _word(34),
    "Azure DevOps": _word(76) + "AZDO" + _word(4),
    "npm": "npm" + "_" + _word(36),
    "PyPI": "pypi" + "-AgEIcHlwaS5vcmc" + _url(80),
    "crates.io": "cio" + _word(32),
    "RubyGems": "rubygems" + "_" + _word(48, _HEX),
    "Docker Hub": "dckr" + "_pat_" + _word(27),
    "Docker Hub organization": "dckr" + "_oat_" + _word(32),
    "Hugging Face": "hf" + "_" + _word(34, _UPPER + _LOWER),
    "OpenAI": "sk" + "-" + _word(20) + "T3Blbk" + "FJ" + _word(20),
    "OpenAI project": "sk" + "-proj-" + _word(74) + "T3Blbk" + "FJ" + _word(74),
    "Anthropic": "sk" + "-ant-api03-" + _word(93) + "AA",
    "SendGrid": "SG" + "." + _word(22) + "." + _word(43),
    "Twilio": "SK" + _word(32, _HEX),
    "Mailgun": "key" + "-" + _word(32, _HEX),
    "Mailchimp": _word(32, _HEX) + "-us" + "12",
    "Brevo": "xkeysib" + "-" + _word(64, _HEX) + "-" + _word(16),
    "Telegram": _word(10, "123456789") + ":AA" + _word(33),
    "Discord": "M" + _word(25) + "." + _word(6) + "." + _word(38),
    "Discord webhook": "https://discord.com/api/"
    + f"webhooks/{_word(18, '123456789')}/{_word(68)}",
    "DigitalOcean": "dop" + "_v1_" + _word(64, _HEX),
    "Cloudflare origin": "v1.0" + "-" + _word(24, _HEX) + "-" + _word(146, _HEX),
    "Databricks": "dapi" + _word(32, _HEX),
    "Grafana": "glsa" + "_" + _word(32) + "_" + _word(8, _HEX),
    "Grafana Cloud": "glc" + "_" + _b64(60),
    "Vault": "hvs" + "." + _word(95),
    "Vault batch": "hvb" + "." + _word(150),
    "Terraform Cloud": _word(14) + ".atlas" + "v1." + _word(67),
    "JSON web token": _JWT,
    "Atlassian": "ATATT3" + _word(186),
    "New Relic": "NRAK" + "-" + _word(27, _UPPER + _DIGITS),
    "Postman": "PMAK" + "-" + _word(24, _HEX) + "-" + _word(34, _HEX),
    "Linear": "lin" + "_api_" + _word(40),
    "Notion": "ntn" + "_" + _word(11, _DIGITS) + _word(35),
    "Airtable": "pat" + _word(14) + "." + _word(64, _HEX),
    "Figma": "figd" + "_" + _word(40),
    "Shopify": "shpat" + "_" + _word(32, _HEX),
    "Square": "sq0atp" + "-" + _word(22),
    "Plaid": "access" + "-production-" + _uuid(),
    "PlanetScale": "pscale" + "_tkn_" + _word(43),
    "Pulumi": "pul" + "-" + _word(40, _HEX),
    "Doppler": "dp" + ".pt." + _word(43),
    "Sentry": "sntryu" + "_" + _word(64, _HEX),
    "Supabase": "sbp" + "_" + _word(40, _HEX),
    "Tailscale": "tskey" + "-auth-" + _word(12) + "-" + _word(32),
    "Sourcegraph": "sgp" + "_" + _word(40, _HEX),
    "Sonar": "sqp" + "_" + _word(40, _HEX),
    "Dynatrace": "dt0c01" + "." + _word(24, _UPPER) + "." + _word(64, _UPPER),
    "Fly.io": "fo1" + "_" + _word(43),
    "Groq": "gsk" + "_" + _word(52),
    "Replicate": "r8" + "_" + _word(37),
    "age": "AGE-SECRET" + "-KEY-1" + _word(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "Django": "django" + "-insecure-" + _word(50, _LOWER + _DIGITS + "@#$%^&*(-_=+)"),
    "1Password": "ops" + "_eyJ" + _url(250),
}

# one line of ENV, of a label, of CMD, ENTRYPOINT, HEALTHCHECK or of the history
SECRET_LINES = [
    "POSTGRES_PASSWORD=hunter2", "MYSQL_ROOT_PASSWORD=tooMany!Secrets", "MYSQL_PWD=s3cr3t",
    "PGPASSWORD=hunter2", "REDIS_PASSWORD=foobared", "MONGO_INITDB_ROOT_PASSWORD=mongo-pw-1",
    "RABBITMQ_DEFAULT_PASS=guest99", "RABBITMQ_ERLANG_COOKIE=XQZKVWPLMNTR", "ELASTIC_PASSWORD=elastic1",
    "KEYCLOAK_ADMIN_PASSWORD=Pa55w0rd", "GF_SECURITY_ADMIN_PASSWORD=grafana1", "SECRET_KEY=d41d8cd98f00b204",
    "DJANGO_SECRET_KEY=q3@x!k2", "FLASK_SECRET_KEY=dev-3fd1", "SECRET_KEY_BASE=0c9e3f1d8b2a",
    "RAILS_MASTER_KEY=8f14e45fceea167a5a36dedd4bea2543", "APP_KEY=base64:3q2+7w==", "JWT_SECRET=correct-horse",
    "JWT_SIGNING_KEY=abc123def", "SESSION_SECRET=keyboardcat1", "COOKIE_SECRET=keyboard-cat", "CSRF_SECRET=9f2c",
    "NEXTAUTH_SECRET=0b1c2d3e4f", "ENCRYPTION_KEY=9f86d081884c7d65", "FERNET_KEY=Zm9vYmFyYmF6", "HMAC_KEY=0a0b0c",
    "AIRFLOW__CORE__FERNET_KEY=46BKJoQYlPPOexq0OhDZ", "API_KEY=9c1185a5c5e9fc54", "API_TOKEN=f00dfeed",
    "API_TOKEN_PROD=f00dfeed", "STRIPE_API_KEY=abcdef0123", "OPENAI_API_KEY=none-of-yours-1", "DD_API_KEY=0123abcd",
    "GITHUB_TOKEN=notatoken1", "GITLAB_PRIVATE_TOKEN=abc-def-1", "NPM_TOKEN=11aa22bb", "CARGO_REGISTRY_TOKEN=xy12zz",
    "TWINE_PASSWORD=upl0ad", "UV_PUBLISH_TOKEN=upl0ad", "POETRY_HTTP_BASIC_FOO_PASSWORD=upl0ad", "SONAR_TOKEN=9a8b7c",
    "VAULT_TOKEN=root-1f", "CONSUL_HTTP_TOKEN=3c5a", "SLACK_SIGNING_SECRET=8f742231b10e", "AZURE_CLIENT_SECRET=Zx9~q",
    "ARM_CLIENT_SECRET=Zx9q", "GOOGLE_CLIENT_SECRET=zz-11-yy", "OAUTH_CLIENT_SECRET=aabbcc", "CLIENT_SECRET=aabbcc",
    "TWILIO_AUTH_TOKEN=5f4dcc3b5aa765d6", "SMTP_PASSWORD=mail-pw", "EMAIL_HOST_PASSWORD=mail-pw", "MAIL_PASS=mail-pw",
    "LDAP_BIND_PASSWORD=bind-pw", "LDAP_BIND_PW=bind-pw", "SSH_PASSPHRASE=open-sesame", "KEYSTORE_PASSWORD=changeit",
    "STORAGE_ACCOUNT_KEY=u0p1", "ACCOUNT_KEY=u0p1", "AWS_SECRET_ACCESS_KEY=short", "AWS_SESSION_TOKEN=FwoGZXIvYXdz",
    "ADMIN_PASSWORD=admin", "DEFAULT_PASSWORD=password", "PASSWORD=12345", "DB_PASS=changeme", "dbPassword=hunter2",
    "clientSecret=s3", "apiKey=k-991", "accessToken=t-991", "spring.datasource.password=hunter2", "WEBHOOK_SECRET=w-1",
    "TOKEN_COOKIE_SECRET=c-1", "BASIC_AUTH=admin:hunter2", "LICENSE_KEY=AAAA-BBBB-1", "CREDENTIALS=me:hunter2",
    "DATABASE_URL=postgresql://app:hunter2@db:5432/app", "REDIS_URL=redis://:foobared@cache:6379/0",
    "AMQP_URL=amqp://svc:pw1@mq/", "MONGO_URL=mongodb+srv://svc:pw1@cluster0.abcde.mongodb.net/x",
    "HTTP_PROXY=http://me:hunter2@proxy:3128", "PIP_INDEX_URL=https://me:tok1@pypi.corp/simple",
    "SQLALCHEMY_DATABASE_URI=mysql+pymysql://app:hunter2@db/app", "DSN=app:hunter2@tcp(db:3306)/app",
    "CONNECTION=Server=db;User Id=sa;Password=P@55word;", "JAVA_OPTS=-Xmx1g -Dspring.datasource.password=hunter2",
    "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.keyStorePassword=hunter2", "server --password=hunter2", "server --password hunter2",
    "server --db-password hunter2 --port 80", "server -password hunter2", "redis-server --requirepass foobared",
    'CMD ["server" "--api-key" "k-991"]', "redis-cli -a foobared ping", "curl -u admin:hunter2 http://localhost/health",
    "curl -sSfu admin:hunter2 https://x/", "curl --user admin:hunter2 https://x/", 'curl -H "Authorization: Bearer abc.def.123456" x',
    'curl -H "Authorization: Basic YWRtaW46aHVudGVyMg==" x', 'curl -H "X-Api-Key: k-991" x', 'curl -H "PRIVATE-TOKEN: t-991" x',
    "wget --http-password=hunter2 https://x/", "mysql -uroot -phunter2 app", "mysqladmin ping -h localhost -phunter2",
    "RUN sshpass -p hunter2 ssh x", "RUN docker login -u me -p hunter2 registry", "RUN echo root:hunter2 | chpasswd",
    "RUN echo 'app:hunter2' | chpasswd", "RUN htpasswd -bc /etc/htpasswd me hunter2", "RUN useradd -p hunter2 me",
    "RUN openssl rsa -in k -passin pass:hunter2", "RUN keytool -storepass hunter2 -alias x", "RUN |1 npm_token=abc1 /bin/sh -c npm ci",
    "RUN |2 A=1 PIP_PASSWORD=hunter2 /bin/sh -c pip install x", "RUN git clone https://me:hunter2@git.corp/x.git",
    "RUN psql -c \"CREATE ROLE app WITH PASSWORD 'hunter2'\"", "RUN mysql -e \"CREATE USER a IDENTIFIED BY 'hunter2'\"",
    "RUN aws configure set aws_secret_access_key hunter2hunter2", "RUN npm config set //registry.npmjs.org/:_authToken abc1",
    "RUN kubectl create secret generic x --from-literal=password=hunter2", "RUN export TOKEN=abc1 && make",
    "RUN TOKEN=abc1;make", "RUN wget 'https://x/y?api_key=abc1'", "RUN wget 'https://x/y?a=b&access_token=abc1'",
    'config={"db": {"password": "hunter2"}}', "compose=password: hunter2", 'DOCKER_AUTH_CONFIG={"auths":{"x":{"auth":"bWU6aHVudGVyMg=="}}}',
    "DB_PASSWORD=$3cret!", "DB_PASSWORD=a$b", "DB_PASSWORD=/9j/4AAQSkZ", "PASSWORD_PROD=hunter2", "TOKEN_GITHUB=f00d",
    "DB_PASSWORD_DEFAULT=hunter2", "NEO4J_AUTH_PASSWORD=neo4j1", "MINIO_SECRET_KEY=minio123", "MINIO_ROOT_PASSWORD=minio123",
    "INFLUXDB_ADMIN_TOKEN=influx1", "SENTRY_AUTH_TOKEN=s-1", "SNYK_TOKEN=11-22", "HEROKU_API_KEY=33-44", "SUPABASE_SERVICE_ROLE_KEY=s-1",
]  # fmt: skip # a corpus: several short values a line

HARMLESS_LINES = [
    "ACCESS_TOKEN_EXPIRE_MINUTES=30", "REFRESH_TOKEN_EXPIRE_DAYS=7", "CSRF_TOKEN_COOKIE=csrftoken", "TOKEN_AUDIENCE=api",
    "PASSWORD_HASHER=argon2", "PASSWORD_HASHERS=django.contrib.auth.hashers.Argon2PasswordHasher", "PASSWORD_RESET_DAYS=3",
    "PASSWORD_RESET_TIMEOUT=259200", "PASSWORD_MIN_LENGTH=8", "PASSWORD_MAX_AGE=90", "PASSWORD_POLICY=strong",
    "PASSWORD_REGEX=^.{8,}$", "PASSWORD_HASH_ALGORITHM=bcrypt", "PASSWORD_HASH_ROUNDS=12", "PASSWORD_FIELD=passwd",
    "PASSWORD_VALIDATORS=length,common", "MIN_PASSWORD_LENGTH=12", "REQUIRE_PASSWORD=true", "ALLOW_EMPTY_PASSWORD=yes",
    "FORGOT_PASSWORD_URL=/forgot", "RESET_PASSWORD_TEMPLATE=reset.html", "TOKEN_ISSUER=auth", "TOKEN_ALGORITHM=HS256",
    "TOKEN_TTL=1h", "TOKEN_LIFETIME=3600", "TOKEN_TYPE=bearer", "TOKEN_URL=https://auth/token", "TOKEN_ENDPOINT=/oauth/token",
    "TOKEN_HEADER=X-Token", "TOKEN_PREFIX=Bearer", "TOKEN_BUCKET_SIZE=100", "TOKEN_REFRESH_INTERVAL=60", "TOKEN_LEEWAY=10",
    "TOKEN_CACHE_SIZE=1000", "TOKEN_SCOPES=read,write", "TOKEN_CLAIMS=sub,aud", "JWT_TOKEN_LOCATION=headers", "JWT_ALGORITHM=RS256",
    "JWT_PUBLIC_KEY=abc", "API_KEY_HEADER=X-Api-Key", "API_KEY_NAME=x", "API_KEY_QUERY_PARAM=key", "API_KEY_FILE=/run/secrets/api",
    "POSTGRES_PASSWORD_FILE=/run/secrets/pg", "DB_PASSWORD=/run/secrets/db", "SECRETS_DIR=/run/secrets", "SECRET_NAME=db-credentials",
    "SECRET_ARN=arn:aws:secretsmanager:eu-west-1:123456789012:secret:x", "SECRETS_MANAGER_REGION=eu-west-1", "SECRET_PROVIDER=vault",
    "SECRETS_BACKEND=vault", "SECRET_STORE=aws", "SECRET_VERSION=3", "SECRET_NAMESPACE=prod", "VAULT_SECRET_PATH=secret/data/app",
    "CREDENTIALS_FILE=/etc/x.json", "CREDENTIALS_PROVIDER=env", "GOOGLE_APPLICATION_CREDENTIALS=/var/secrets/google.json",
    "AWS_SHARED_CREDENTIALS_FILE=/root/.aws/credentials", "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/token", "AWS_ACCESS_KEY_ID_HINT=x",
    "GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305", "PUBLIC_KEY=abc", "PRIMARY_KEY=id", "FOREIGN_KEY=user_id", "CACHE_KEY_PREFIX=app",
    "SORT_KEY=name", "PARTITION_KEY=pk", "KEY=value", "KEYBOARD=us", "MONKEY=george", "TURKEY=ankara", "COMPASS=north", "BYPASS_CACHE=1",
    "TOKENIZERS_PARALLELISM=false", "TOKENIZER=bert", "MAX_TOKENS=4096", "MIN_TOKENS=1", "NUM_TOKENS=17", "MAX_NEW_TOKENS=256",
    "EOS_TOKEN=</s>", "BOS_TOKEN=<s>", "PAD_TOKEN=[PAD]", "UNK_TOKEN=unk", "STOP_TOKEN=###", "NEXT_TOKEN=abc", "PAGE_TOKEN=abc",
    "NEXT_PUBLIC_API_KEY=pk", "STRIPE_PUBLISHABLE_KEY=pk", "RECAPTCHA_SITE_KEY=6Lc", "VAPID_PUBLIC_KEY=BEl6", "USE_TOKEN=true",
    "HAS_PASSWORD=no", "SHOW_PASSWORD=0", "VERIFY_PASSWORD=on", "DISABLE_PASSWORD=yes", "PASSWORDLESS=true", "AUTHOR=me",
    "AUTHORITY=x", "PWD=/app", "OLDPWD=/", "PATH=/usr/bin:/bin", "PASSENGER_COUNT=3", "PASSED=12", "SECRETARY=me", "TOKEN_COUNT=12",
    "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "TLS_KEY=/etc/tls/tls.key", "SSL_KEY_PATH=/etc/x.key", "TLS_KEY=server.key",
    "DB_PASSWORD=", "DB_PASSWORD=$DB_PASSWORD", "DB_PASSWORD=${DB_PASSWORD}", "DB_PASSWORD=${DB_PASSWORD:-}", "DB_PASSWORD=$(cat /run/x)",
    "DB_PASSWORD={{ db_password }}", "DB_PASSWORD=<your-password>", "API_TOKEN=<your-token>", "API_TOKEN=your-token-here",
    "API_TOKEN=YOUR_API_TOKEN", "API_KEY=your_api_key", "API_KEY=xxx", "API_KEY=XXXXXXXXXXXXXXXX", "API_KEY=***", "API_KEY=...",
    "API_KEY=insert-key-here", "SECRET_KEY=REPLACE_ME", "SECRET_KEY=dummy", "SECRET_KEY=placeholder", "SECRET_KEY=example", "SECRET_KEY=[redacted]",
    "SECRET_KEY=build-only", "SECRET_KEY=not-set", "TOKEN=null", "TOKEN=none", "PASSWORD=%DB_PASSWORD%", "PASSWORD=@db.password@",
    "PASSWORD=vault:secret/data/db#password", "PASSWORD=ssm:/prod/db/password", "PASSWORD=op://vault/item/field", "AUTH_METHOD=token",
    "PASSWORD_ENCRYPTION=scram-sha-256", "POSTGRES_HOST_AUTH_METHOD=trust", "AUTH_TYPE=basic", "TOKEN=os.environ['TOKEN']",
    "DATABASE_URL=postgresql://db:5432/app", "DATABASE_URL=postgresql://app@db/app", "DATABASE_URL=postgresql://app:${DB_PASSWORD}@db/app",
    "DATABASE_URL=postgresql://app:$DB_PASSWORD@db/app", "PIP_INDEX_URL=https://pypi.org/simple", "PIP_INDEX_URL=https://${T}@x/simple",
    "RUN --mount=type=secret,id=token pip install x", "RUN --mount=type=secret,id=npm,env=NPM_TOKEN npm ci", "RUN git clone https://git@example.org/x",
    "server --password-file /run/secrets/x", "server --password-file=/run/secrets/x", "server --token-ttl 1h", "server --no-password",
    "server --password $DB_PASSWORD", 'server "--password=${DB_PASSWORD}"', "docker login --password-stdin registry", "curl -u $USER:$PASS x",
    "curl -sSf http://localhost:8000/health", 'curl -H "Authorization: Bearer $TOKEN" x', 'curl -H "Authorization: Bearer ${TOKEN}" x',
    'curl -H "X-Api-Key: $API_KEY" x', "mysql -p$MYSQL_ROOT_PASSWORD", "mysql -u root -p app", "RUN echo \"app:$PW\" | chpasswd",
    "RUN apt-get install -y passwd libpam-pwquality", "RUN npm install jsonwebtoken", "RUN passwd -l root", "RUN sed -i s/password/x/ f",
    "org.opencontainers.image.title=token-service", "description=stores passwords and tokens: see the manual", "COPY secrets.py /app/",
    "HEALTHCHECK CMD curl -f http://localhost/tokens || exit 1", "ENTRYPOINT [\"/app/password-service\"]", "CMD [\"--token-type\" \"bearer\"]",
    "sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "integrity=sha512-9f86d081884c7d659a2feaa0c55ad015",
    "ETAG=d41d8cd98f00b204e9800998ecf8427e", "COMMIT=d91e7679f86d081884c7d659a2feaa0c55ad015a", "UUID=123e4567-e89b-12d3-a456-426614174000",
]  # fmt: skip # a corpus: several short values a line

_KEY_BODY = _b64(48 * 24)
_PEM = (
    "-----BEGIN "
    + "PRIVATE KEY-----\n"
    + "\n".join(_KEY_BODY[at : at + 64] for at in range(0, len(_KEY_BODY), 64))
    + "\n-----END "
    + "PRIVATE KEY-----\n"
)
PEM = _PEM

# path and text
SECRET_FILES = [
    ("app/config.yaml", "database:\n  password: hunter2\n"), ("app/config.yml", "db_password: 'hunter2'\n"),
    ("app/settings.json", '{"db": {"password": "hunter2"}}'), ("app/appsettings.json", '{"ClientSecret": "zz-11"}'),
    ("app/application.properties", "spring.datasource.password=hunter2\n"), ("app/settings.toml", 'api_key = "k-991"\n'),
    ("app/settings.ini", "[db]\npassword = hunter2\n"), ("app/web.config", '<add key="ApiKey" value="k-991" />'),
    ("app/settings.xml", "<server><password>hunter2</password></server>"), ("app/start.sh", "exec server --password hunter2\n"),
    ("app/start.sh", "export DB_PASSWORD=hunter2\n"), ("usr/local/bin/entrypoint", "#!/bin/sh\nexport TOKEN=abc1\n"),
    ("app/settings.py", 'SECRET_KEY = "q3@x!k2vv"\n'), ("app/settings.py", "DATABASES = {'PASSWORD': 'hunter2x'}\n"),
    ("app/config.js", 'module.exports = {password: "hunter2x"}\n'), ("app/prod.env", "DB_PASSWORD=hunter2\n"),
    ("app/.flaskenv", "SECRET_KEY=hunter2\n"), ("app/.envrc", "export API_TOKEN=abc1\n"), ("app/.env", "A=b\n"),
    ("app/.env.production", "A=b\n"), ("srv/main.tfvars", 'db_password = "hunter2"\n'), ("app/db.ini", "url = mysql://me:hunter2@db/x\n"),
    ("app/alembic.ini", "sqlalchemy.url = postgresql://me:hunter2@db/x\n"), ("app/requirements.txt", "--index-url https://me:hunter2@h/simple\n"),
    ("root/.netrc", "machine h login me password hunter2\n"), ("home/me/.netrc", "machine h login me password hunter2\n"),
    ("root/.pgpass", "h:5432:*:me:hunter2\n"), ("root/.my.cnf", "[client]\npassword=hunter2\n"), ("root/.s3cfg", "secret_key = abc\n"),
    ("root/.aws/credentials", "[default]\n"), ("root/.docker/config.json", '{"auths": {"x": {"auth": "bWU6aHVudGVyMg=="}}}'),
    ("kaniko/.docker/config.json", '{"auths": {"x": {"auth": "bWU6aHVudGVyMg=="}}}'), ("root/.npmrc", "//h/:_authToken=abc1\n"),
    ("app/.npmrc", "//h/:_authToken=abc1\n"), ("root/.yarnrc.yml", "npmAuthToken: abc1\n"), ("root/.pypirc", "[pypi]\npassword = x\n"),
    ("etc/pip.conf", "[global]\nindex-url = https://me:hunter2@h/simple\n"), ("root/.config/pip/pip.conf", "index-url = https://tok@h/simple\n"),
    ("root/.git-credentials", "https://me:hunter2@h\n"), ("root/.config/git/credentials", "https://me:hunter2@h\n"),
    ("root/.gitconfig", '[url "https://me:hunter2@github.com/"]\n'), ("root/.kube/config", "kind: Config\n"),
    ("app/kubeconfig", "kind: Config\nusers:\n- user: {token: hunter2hunter2}\n"), ("etc/kubernetes/admin.conf", "kind: Config\nusers:\n- user:\n    client-key-data: aHVudGVyMg==\n"),
    ("root/.config/gcloud/application_default_credentials.json", "{}"), ("root/.config/rclone/rclone.conf", "[r]\npass = abcdef\n"),
    ("etc/shadow", "root:$6$salt$" + "a" * 86 + ":19000:0:99999:7:::\n"), ("etc/nginx/htpasswd", "me:$apr1$salt$abcdefghijklmnop\n"),
    ("app/terraform.tfstate", '{"resources": [{"db_password": "hunter2"}]}'), ("root/.terraformrc", 'credentials "h" { token = "abc123" }\n'),
    ("root/.terraform.d/credentials.tfrc.json", '{"credentials": {}}'), ("root/.azure/msal_token_cache.json", '{"secret": "hunter2hunter2"}'),
    ("root/.config/pypoetry/auth.toml", '[http-basic.x]\npassword = "hunter2"\n'), ("root/.cargo/credentials.toml", "[registry]\n"),
    ("root/.config/gh/hosts.yml", "github.com:\n  oauth_token: abc123\n"), ("root/.databrickscfg", "[DEFAULT]\ntoken = abc123\n"),
    ("root/.bash_history", "export DB_PASSWORD=hunter2\n"), ("root/.vault-token", "abc"), ("root/.m2/settings.xml", "<password>hunter2</password>"),
    ("root/.erlang.cookie", "ABCDEF"), ("root/.cache/huggingface/token", "abc"), ("app/wp-config.php", "define('DB_PASSWORD', 'hunter2');\n"),
    ("app/config/master.key", "8f14e45fceea167a5a36dedd4bea2543"), ("app/x.p12", "x"), ("app/x.jks", "x"), ("app/x.kdbx", "x"),
    ("app/id_ed25519", "-----BEGIN OPENSSH " + "PRIVATE KEY-----\n" + _KEY_BODY), ("app/key.ppk", "PuTTY-User-Key-" + "File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 8\n"),
    ("app/key.pem", _PEM), ("app/key.txt", base64.b64encode(_PEM.encode()).decode()), ("app/k.json", '{"k": "' + _PEM.replace("\n", "\\n") + '"}'),
    ("app/k.go", "const k = " + " +\n\t".join(f'"{line}\\n"' for line in _PEM.splitlines())), ("app/wg0.conf", "PrivateKey = " + _b64(32)),
    ("app/k.jwk", '{"kty": "RSA", "n": "' + _url(64) + '", "d": "' + _url(64) + '"}'), ("app/k.hex", _PEM.encode().hex()),
    # one word of a placeholder alone, and real logins beside samples
    ("app/x.py", 'u = "http://username:hunter2@host.com"\n'), ("app/x.py", 'u = "http://me:password@db/x"\n'), ("app/x.ini", "url = mysql://USERNAME:hunter2@db/x\n"),
    ("app/x.ini", "url = mysql://user:pass@h/x mysql://me:hunter2@db/x\n"), ("app/x.ini", "url = mysql://me:hunter2@db/x mysql://user:pass@h/x\n"),
    ("app/x.ini", "url = https://me:hunter2@example.com.corp/\n"), ("app/x.ini", "url = https://me:hunter2@notexample.com/\n"), ("app/x.ini", "url = https://me:hunter2@example-db/\n"),
    # a password with an "@", which looks like a sample before it
    ("app/x.ini", "url = mysql://user:pass@word@db/x\n"), ("app/x.ini", "url = https://me:hunter2@example@db/\n"), ("app/x.ini", "url = https://me:hunter2@example.com:1@db/\n"),
    ("app/x.ini", "url = https://[me:hunter2@db/\n"), ("app/x.py", 'row = ["creds", "-hunter2x"]\n'), ("app/x.py", 'http_password = "--hunter2"\n'),
]  # fmt: skip # a corpus: several short values a line

HARMLESS_FILES = [
    ("app/config.yaml", "database:\n  password: ${DB_PASSWORD}\n"), ("app/config.yaml", "password_file: /run/secrets/db\n"),
    ("app/config.yaml", "token_ttl: 3600\npassword_min_length: 8\n"), ("app/config.yaml", "# password: hunter2 (an example)\n"),
    ("app/config.yaml", "password: <your password>\n"), ("app/values.yaml", "password: {{ .Values.password }}\n"),
    ("app/settings.json", '{"password": ""}'), ("app/settings.json", '{"password": null, "token": false}'),
    ("app/locale/en.json", '{"password": "Enter your password", "token": "A token for the API"}'),
    ("app/schema.json", '{"properties": {"password": {"type": "string"}, "token": {"type": "string"}}}'),
    ("app/tokenizer_config.json", '{"eos_token": "<|end|>", "pad_token": "[PAD]"}'), ("app/package-lock.json", '{"integrity": "sha512-aaaa"}'),
    ("app/.env.example", "DB_PASSWORD=hunter2\n"), ("app/prod.env", "LOG_LEVEL=info\n"), ("app/.env", "# nothing\n"),
    ("app/alembic.ini", "sqlalchemy.url = driver://user:pass@localhost/dbname\n"), ("app/alembic.ini", "sqlalchemy.url = postgresql://${U}:${P}@db/x\n"),
    ("app/settings.py", 'SECRET_KEY = os.environ["SECRET_KEY"]\n'), ("app/settings.py", 'PASSWORD_FIELD = "password"\n'),
    ("app/settings.py", 'TOKEN_URL = "https://auth/token"\n'), ("app/x.py", 'token = "access_token"\n'), ("app/x.py", 'password: str = "password"\n'),
    ("app/x.py", 'grant = {"password": "password"}\n'), ("app/x.py", "def login(password, token=None): ...\n"),
    ("app/start.sh", 'exec server --password "$DB_PASSWORD"\n'), ("app/start.sh", "read -r PASSWORD < /run/secrets/db\n"),
    ("usr/local/bin/x", "#!/bin/sh\nPASSWORD=$(cat /run/secrets/x)\n"), ("app/requirements.txt", "--index-url https://pypi.org/simple\n"),
    ("app/requirements.txt", "passlib==1.7.4 --hash=sha256:" + "a1" * 32 + "\n"), ("etc/nsswitch.conf", "passwd: files systemd\nshadow: files\n"),
    ("etc/ssl/openssl.cnf", "input_password = secret\n"), ("etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\n"),
    ("etc/shadow", "root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\n"), ("root/.npmrc", "//h/:_authToken=${NPM_TOKEN}\n"),
    ("root/.docker/config.json", '{"credsStore": "pass"}'), ("root/.gitconfig", "[user]\nname = me\n"), ("etc/pip.conf", "[global]\nno-cache-dir = true\n"),
    ("root/.yarnrc.yml", "npmAuthToken: ${TOKEN}\n"), ("app/terraform.tfstate", '{"resources": [{"db_password": ""}]}'),
    ("app/x.service", "[Service]\nEnvironmentFile=/etc/x.env\nPassEnvironment=TOKEN\n"), ("app/pub.pem", "-----BEGIN PUBLIC KEY-----\n" + _KEY_BODY),
    ("usr/lib/python3/dist-packages/x/settings.py", 'SECRET_KEY = "q3@x!k2vv"\n'), ("usr/share/x/config.yaml", "password: hunter2\n"),
    ("usr/local/lib/python3.13/site-packages/x/a.ini", "password = hunter2\n"), ("app/x.dist-info/METADATA", "token: " + _JWT),
    ("app/x.dist-info/METADATA", "Use it so:\n" + _PEM), ("app/readme.txt", "The password is asked for when the server starts.\n"),
    ("app/notes.txt", "Tokens: see the manual. Password: ask the administrator of it\n"), ("app/k.txt", "ghp" + "_" + "x" * 36),
    ("app/k.txt", "AKIA" + "IOSFODNN7EXAMPLE"), ("app/k.txt", "api key: AIza" + "your_api_key_here_1234567890123456"),
    ("app/kubeconfig", "kind: Config\nusers:\n- user: {exec: {command: aws}}\n"), ("app/k.jwk", '{"kty": "RSA", "n": "' + _url(64) + '", "e": "AQAB"}'),
    ("app/cacerts.txt", "-----BEGIN CERTIFICATE-----\n"), ("app/x.lock", 'hash = "sha256:' + "ab" * 32 + '"\n'), ("app/authors.txt", "author: me\n"),
    # samples that pip, urllib3, six and CPython document
    ("app/x.py", '        # "https://username:password@host.com:80/path?query#fragment"\n'), ("app/x.py", "    'http://username:password@host.com:80/path?query#fragment'\n"),
    ("app/x.py", 'help="Specify a proxy in the form scheme://[user:passwd@]proxy.server:port.",\n'), ("app/x.py", 'url = "http://User:Pass@www.python.org:080/doc/?query=yes#frag"\n'),
    ("app/x.py", 'cmd = [self.keyring, "--mode=creds", "--output=json", "get", service_name]\n'), ("app/x.py", 'MovedAttribute("HTTPPasswordMgr", "urllib2", "urllib.request"),\n'),
    ("app/x.ini", "proxy = http://USER:PASSWORD@proxy:3128\n"), ("app/x.ini", "proxy = http://user:xxxx@proxy:3128\n"), ("app/x.ini", "url = https://me:hunter2@db.example/x\n"),
    ("app/x.ini", "url = https://me:hunter2@mail.EXAMPLE.org:25/x\n"), ("app/x.ini", "url = https://me:hunter2@db.invalid\n"), ("app/x.ini", "a = ftp://user:pass@h http://u:p@i\n"),
]  # fmt: skip # a corpus: several short values a line
