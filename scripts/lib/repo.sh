# shellcheck shell=bash
# Makes a signed apt repository out of packages. Needs log.sh. Layout: pool/CHANNEL/*.deb, dists/CHANNEL/….

# The date format of Release files.
_release_date() { date -u -d "$1" '+%a, %d %b %Y %H:%M:%S UTC'; }

# Puts the signing key into the temporary GNUPGHOME: from the file $1, or a new ed25519 key, which is kept in $1 unless that is "".
load_key() {
    local file=$1
    GNUPGHOME=$(mktemp -d)
    export GNUPGHOME
    [[ -z $file || -e $file || -z ${refresh:-} ]] || die "there is no key $file: --refresh signs with the key of the release, and makes none"
    if [[ -n $file && -e $file ]]; then
        gpg --batch --quiet --import "$file" || die "$file does not hold a secret key that gpg can read"
    else
        if [[ -n $file ]]; then
            step "making the signing key $file: keep it, the boxes trust no other"
        else
            step "making a throw-away signing key"
        fi
        gpg --batch --quiet --passphrase '' --quick-generate-key 'PIC repository' ed25519 sign never 2>/dev/null || die "gpg makes no key"
        if [[ -n $file ]]; then
            (umask 077 && gpg --batch --armor --export-secret-keys >"$file.new") 2>/dev/null || die "cannot write the key to $file"
            mv "$file.new" "$file"
        fi
    fi
    gpg --batch --quiet --with-colons --list-secret-keys 2>/dev/null | grep -q '^sec' || die "$file holds no secret key, only public ones"
}

# Refuses to sign again what another key has signed: boxes that installed from there trust that one alone. $1 is the
# install.sh of the release as it was, if there was one.
keep_faith() {
    [[ -e $1 ]] || return 0
    [[ $(sed -n '/^-----BEGIN PGP/,/^-----END PGP/p' "$1") == "$(public_key)" ]] ||
        die "${1%/*} is signed by another key, and the boxes that installed from it trust no other: give that key with --key, or another folder"
}

# The address in a finished install.sh.
baked_url() { sed -n "s/^ *url='\([^']*\)' archs=.*/\1/p" "$1"; }

# Ends the agent that gpg started for our temporary home, then the home.
drop_key() {
    [[ -n ${GNUPGHOME:-} ]] || return 0
    gpgconf --kill all 2>/dev/null || true
    rm -rf "$GNUPGHOME"
}

# The public key as install.sh and apt want it: armor without comments.
public_key() { gpg --batch --armor --no-emit-version --no-comments --export-options export-minimal --export; }

# Writes the index of one channel of the repository $1: $2 channel, $3 architectures, $4 days until it expires.
write_index() (
    cd "$1" || exit 1
    channel=$2 archs=$3 days=$4
    new=dists/.$channel.new old=dists/.$channel.old
    rm -rf "$new" "$old"
    for arch in $archs; do
        folder=$new/main/binary-$arch
        mkdir -p "$folder"
        apt-ftparchive --arch "$arch" packages "pool/$channel" >"$folder/Packages"
        xz -k9 "$folder/Packages"
    done
    # Outside of the folder, or it would list a half of itself.
    apt-ftparchive -o APT::FTPArchive::Release::Origin=PIC -o APT::FTPArchive::Release::Label=PIC \
        -o APT::FTPArchive::Release::Suite="$channel" -o APT::FTPArchive::Release::Codename="$channel" \
        -o APT::FTPArchive::Release::Architectures="$archs" -o APT::FTPArchive::Release::Components=main \
        -o APT::FTPArchive::Release::MD5=false -o APT::FTPArchive::Release::SHA1=false \
        release "$new" >"dists/.Release.$channel"
    sed -i "/^Date:/a Valid-Until: $(_release_date "+$days days")" "dists/.Release.$channel"
    mv "dists/.Release.$channel" "$new/Release"
    gpg --batch --quiet --digest-algo SHA512 --clearsign -o "$new/InRelease" "$new/Release"
    # Both halves of the swap are renames: a reader sees the old channel, for an instant none, or the new one.
    [[ ! -d dists/$channel ]] || mv "dists/$channel" "$old"
    mv "$new" "dists/$channel"
    rm -rf "$old"
)

# Writes install.sh: the template $1 with the address $3, the key and the architectures $4 put in, to $2. Without a newline
# at its end, so that the last byte is part of the word "end" and a download that lacks it runs nothing.
bake_installer() {
    local text
    text=$(<"$1")
    text=${text//@URL@/"$3"}
    text=${text//@ARCHS@/"$4"}
    text=${text//@KEY@/"$(public_key)"}
    printf '%s' "$text" >"$2.new" && chmod 0755 "$2.new" && mv "$2.new" "$2"
}
