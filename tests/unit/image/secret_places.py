"""Files in which tools keep logins, and files like them that hold none: path and text."""

# ruff: noqa: E501 - rows of data

from __future__ import annotations

SECRET_FILES = [
    # variables in lists and in settings of their own
    ("app/docker-compose.override.yml", "services:\n  db:\n    environment:\n      - MYSQL_ROOT_PASSWORD=hunter2\n"),
    ("app/bitbucket-pipelines.yml", "script:\n- export AWS_SECRET_ACCESS_KEY=abcdef123\n"),
    ("etc/systemd/system/x.service", "[Service]\nEnvironment=SECRET_KEY=hunter2xyz\n"),
    ("etc/systemd/system/x.service", '[Service]\nEnvironment="A=b" "API_TOKEN=hunter2xyz"\n'),
    ("app/supervisord.conf", 'environment=SECRET_KEY="hunter2xyz",A="b"\n'), ("app/supervisord.conf", 'environment=A="b",SECRET_KEY="hunter2xyz"\n'),
    ("app/uwsgi.ini", "env = SECRET_KEY=hunter2xyz\n"), ("etc/php/www.conf", "env[DB_PASSWORD] = hunter2\n"), ("app/g.conf", "raw_env = DB_PASSWORD=hunter2\n"),
    ("etc/apache2/envvars.conf", "SetEnv DB_PASSWORD hunter2\n"), ("etc/nginx/x.conf", "  fastcgi_param DB_PASSWORD hunter2;\n"),
    ("root/.config/fish/config.fish", "set -gx API_TOKEN abcdef123\n"), ("root/.local/share/fish/fish_history", "- cmd: set -x API_TOKEN abcdef123\n  when: 1\n"),
    ("root/.cshrc", "setenv DB_PASSWORD hunter2\n"), ("app/Dockerfile", "FROM x\nENV DB_PASSWORD hunter2\n"), ("etc/crontab", "* * * * * root curl -u me:hunter2 http://x\n"),
    ("etc/crontab", "*/5 0-3 * * 1,2 root DB_PASSWORD=x1y2 backup --token abc123\n"), ("app/Jenkinsfile", 'sh "curl -u me:hunter2 http://x"\n'),
    # with a byte order mark, as Windows' editors write
    ("app/.env", "\ufeffA=b\n"), ("app/prod.env", "\ufeffDB_PASSWORD=hunter2\n"),
    # settings without a suffix, and attributes
    ("app/env", "DB_PASSWORD=hunter2\n"), ("app/vars", "DB_PASSWORD=hunter2\n"), ("app/.secrets", "x=hunter2\n"), ("app/.dev.vars", "TOKEN=abcdef123\n"),
    ("root/.oci/config", "[DEFAULT]\npass_phrase=hunter2\n"), ("root/.aws/config", "[default]\naws_secret_access_key=abcdefgh\n"), ("root/.duply/x/conf", "GPG_PW='hunter2'\n"),
    ("app/context.xml", '<Resource username="me" password="hunter2"/>'), ("app/server.xml", '<Connector keystorePass="hunter2"/>'),
    ("app/.idea/webServers.xml", '  <fileTransfer rootFolder="/" password="dff9dfd9"/>'), ("app/filezilla.xml", '<Server><Pass encoding="base64">aHVudGVyMg==</Pass></Server>'),
    # places of single tools
    ("etc/NetworkManager/system-connections/x.nmconnection", "[wifi-security]\npsk=hunter2hunter\n"), ("etc/ipsec.secrets", '10.0.0.1 %any : PSK "hunter2"\n'),
    ("etc/exim4/passwd.client", "*:me:hunter2\n"), ("etc/davfs2/secrets", "https://h/ me hunter2\n"), ("root/.davfs2/secrets", "https://h/ me hunter2\n"),
    ("root/.mutt/muttrc", 'set imap_pass = "hunter2"\n'), ("etc/cifs.cred", "username=me\npassword=hunter2\n"), ("root/.mongorc.js", "db.auth('me', 'hunter2')\n"),
    ("etc/redis/users.acl", "user default on >hunter2 ~* +@all\n"), ("etc/pgbouncer/userlist.txt", '"me" "md5abcdef0123456789abcdef0123456789"\n'),
    ("root/.cdsapirc", "url: https://h\nkey: 12345:abcd-efgh\n"), ("app/.streamlit/secrets.toml", '[db]\nvalue="hunter2"\n'), ("root/.config/wandb/settings", "[default]\napi_key=0123456789\n"),
    ("root/.config/configstore/snyk.json", '{"api":"01234567-89ab-cdef-0123-456789abcdef"}'), ("var/lib/jenkins/secrets/master.key", "abcdef"),
    ("var/jenkins_home/credentials.xml", "<x><password>{AQAAABAAAAAQ}</password></x>"), ("root/.m2/settings-security.xml", "<settingsSecurity><master>{abc=}</master></settingsSecurity>"),
    ("app/k8s/db.yaml", "apiVersion: v1\nkind: Secret\nstringData:\n  dsn: hunter2xyz\n"), ("app/sealed.json", '{"kind":"Secret","data":{"x":"aHVudGVyMg=="}}'),
    ("app/rootkey.csv", "AWSAccessKeyId=AKIA\nAWSSecretKey=abcdefgh\n"), ("app/x.ovpn", "<auth-user-pass>\nme\nhunter2\n</auth-user-pass>\n"), ("app/x.rdp", "password 51:b:01000000D08C\n"),
    ("root/.ethereum/keystore/UTC--2020", '{"crypto":{"ciphertext":"abc","kdf":"scrypt"}}'), ("root/.config/solana/id.json", "[" + ",".join(["12"] * 64) + "]"),
    ("etc/munge/munge.key", "x" * 128), ("etc/corosync/authkey", "x" * 128), ("etc/ldap.secret", "hunter2"), ("etc/nslcd.conf", "bindpw hunter2\n"),
    ("etc/sssd/sssd.conf", "ldap_default_authtok = hunter2\n"), ("etc/nut/upsd.users", "[me]\n  password = hunter2\n"), ("root/.hex/hex.config", '{"$write_key","abc"}.\n'),
    ("root/.continuum/anaconda-client/tokens/x.token", "abc-def"),
    # hashes of passwords
    ("etc/dovecot/passwd", "me:{PLAIN}hunter2::::::\n"), ("etc/mosquitto/passwd", "me:$7$101$abcd$efgh==\n"), ("etc/squid/passwd", "me:$apr1$abcdefgh$0123456789\n"),
    ("app/proftpd.passwd", "me:$1$abcdefgh$0123456789:1:1::/:/x\n"), ("etc/security/opasswd", "me:1000:1:$6$abcdefgh$0123456789abcdef\n"),
    ("etc/shadow", "root:abJnggxhB/yWI:1:0::::\n"), ("etc/passwd", "root:$6$abcdefgh$0123456789abcdef:0:0::/:/x\n"),
    # addresses and connection strings
    ("app/x.properties", "url=jdbc:oracle:thin:app/hunter2x@//h:1521/x\n"), ("app/x.conf", "dsn = DRIVER={x};SERVER=h;UID=me;PWD=hunter2x;\n"),
    ("app/x.yaml", "bucket: s3://me:hunter2x@bucket\n"),
]  # fmt: skip # a corpus: several short values a line

HARMLESS_FILES = [
    ("app/.env", "A=\nB=\n"), ("app/.env", "\ufeff# nothing\n"),
    ("app/docker-compose.yml", "environment:\n  - MYSQL_PASSWORD=${MYSQL_PASSWORD}\n  - DB_PASSWORD_FILE=/run/secrets/db\n"), ("app/docker-compose.yml", "environment:\n  - TOKEN\n"),
    ("etc/systemd/system/x.service", "[Service]\nEnvironment=LOG_LEVEL=info\nPassEnvironment=TOKEN\n"), ("app/supervisord.conf", 'environment=PATH="/x:%(ENV_PATH)s",A="b"\n'),
    ("etc/nginx/fastcgi_params.conf", "fastcgi_param QUERY_STRING $query_string;\nfastcgi_param AUTH_TOKEN $http_x;\n"), ("root/.config/fish/config.fish", "set -gx PATH /x $PATH\n"),
    ("app/Dockerfile", "FROM x\nENV LANG C.UTF-8\nENV DB_PASSWORD $DB_PASSWORD\n"), ("etc/crontab", "*/5 * * * * root run-parts /etc/cron.hourly\n"), ("app/x.c.conf", " * password = hunter2\n"),
    ("app/server.xml", '<Connector port="8080" keystorePass="${keystore.password}"/>'), ("app/form.xml", '<input type="password" name="password" value=""/>'),
    ("etc/NetworkManager/system-connections/x.nmconnection", "[wifi-security]\nkey-mgmt=wpa-psk\npsk-flags=1\n"), ("etc/ipsec.secrets", "# : PSK \"hunter2\"\ninclude /var/lib/x.secrets\n"),
    ("etc/exim4/passwd.client", "# password file\n"), ("etc/nslcd.conf", "#bindpw secret\nuri ldap://h/\n"), ("etc/sssd/sssd.conf", "ldap_default_authtok_type = password\n"),
    ("app/k8s/db.yaml", "kind: SealedSecret\nspec:\n  encryptedData:\n    x: abc\n"), ("app/k8s/db.yaml", "kind: Secret\nmetadata:\n  name: x\ndata: {}\n"), ("app/k8s/db.yaml", "kind: Secret\nstringData:\n  x: ${DSN}\n"),
    ("app/k8s/db.yaml", "kind: ConfigMap\ndata:\n  x: abc\n"), ("app/x.ovpn", "auth-user-pass\nremote h 1194\n"), ("app/uuid.json", "[1, 2, 3]"), ("etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\n"),
    ("etc/shadow", "root:*:19000:0:99999:7:::\ndaemon:!*:19000::::::\n"), ("app/x.properties", "url=jdbc:oracle:thin:app/${PW}@//h:1521/x\n"), ("app/x.conf", "dsn = SERVER=h;UID=me;PWD=${PW};\n"),
    ("app/start.sh", 'cd x; PWD=/app; server=1\n'), ("app/settings", "theme = dark\n"), ("app/.streamlit/secrets.toml", "# put yours here\n"), ("app/classes.txt", "sk-toggleable__control sk-estimator-doc-link\n"),
    ("app/x.css", ".sk-toggleable__content {}\n"), ("app/x.py", "task_id = disk_name = mask_2\n"), ("app/x.txt", "AKID is an id, AVNS_ a prefix, napi_create_function a call\n"),
]  # fmt: skip # a corpus: several short values a line
