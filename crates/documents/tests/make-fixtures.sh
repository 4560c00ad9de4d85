#!/usr/bin/env bash
# Makes the files in fixtures/ anew: LibreOffice writes them from the sources here (a contract with a table, in Chinese, and a
# page of two columns, from the text of the Civil Code, which nobody owns). They were made with LibreOffice 7.4 of Debian 12,
# fonts-wqy-zenhei and fonts-noto-cjk, and are checked in, so that tests need neither.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

python3 sources.py "$work"
convert() { soffice -env:UserInstallation="file://$work/profile" --headless --convert-to "$1" --outdir "$2" "$3" >/dev/null; }
convert docx fixtures "$work/contract.fodt"
convert pdf fixtures "$work/contract.fodt"
convert pdf fixtures "$work/columns.fodt"
convert xlsx fixtures "$work/staff.fods"
convert pptx fixtures "$work/lesson.fodp"
convert 'pdf:writer_pdf_Export:{"EncryptFile":{"type":"boolean","value":"true"},"DocumentOpenPassword":{"type":"string","value":"geheim"}}' "$work/locked" "$work/contract.fodt"
mv "$work/locked/contract.pdf" fixtures/encrypted.pdf
ls -l fixtures
