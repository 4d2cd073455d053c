#!/bin/sh
# Makes a package of each folder, then the indexes, signed with the test key, in the
# layout of Alpine's mirrors.
#
#   eg: make-packages.sh /packages /repository
set -eu
packages=$1
repository=$2
key=/keys/sutra-test.rsa
mkdir -p "$repository/main/x86_64" "$repository/community/x86_64"

value() { sed -n "s/^$1://p" "$2" | head -n 1; } # value FIELD FILE

for folder in "$packages"/*; do
  set --
  while IFS= read -r line; do set -- "$@" --info "$line"; done <"$folder/info"
  for script in "$folder"/scripts/*; do
    if [ -f "$script" ]; then set -- "$@" --script "${script##*/}:$script"; fi
  done
  if [ -f "$folder/triggers" ]; then
    while IFS= read -r path; do set -- "$@" --trigger "$path"; done <"$folder/triggers"
  fi
  # where Alpine has them; apk makes no index of nothing, so that both have one
  case ${folder##*/} in patchelf | py3-elftools) part=community ;; *) part=main ;; esac
  chown -R root:root "$folder/files"
  apk mkpkg --files "$folder/files" "$@" --sign-key "$key" --compression none \
    --output "$repository/$part/x86_64/$(value name "$folder/info")-$(value version "$folder/info").apk"
done
for part in main community; do
  # apk tells the formats apart by their first bytes, whatever the index is called
  apk mkndx --allow-untrusted --sign-key "$key" \
    --output "$repository/$part/x86_64/APKINDEX.tar.gz" "$repository/$part"/x86_64/*.apk
done
