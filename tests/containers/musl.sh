# Lays out in /image what an official Alpine image of Python has: musl, busybox as userland, and
# below /usr/local a CPython without bytecode. Runs in a Debian, with sources in /src.
machine=$(uname -m)
libraries=/libraries
export CC=/cc CFLAGS="-O2 -fPIC" CPPFLAGS=-I$libraries/include LDFLAGS=-L$libraries/lib

# CPython asks its compiler what it compiles for, and musl-gcc answers for the Debian around it.
cat >/cc <<'CC'
#!/bin/sh
case " $* " in *" -print-multiarch "* | *" --print-multiarch "*)
    echo "$(uname -m)-linux-musl"
    exit
    ;;
esac
exec musl-gcc "$@"
CC
chmod +x /cc

mkdir -p $libraries/include
for headers in linux asm-generic "$machine-linux-gnu/asm"; do
    ln -s "/usr/include/$headers" $libraries/include/
done

enter() {
    mkdir "/build-$1"
    cd "/build-$1"
    tar -xf /src/"$1"*.orig.tar.* --strip-components 1
}

enter libffi
autoreconf --force --install
./configure "--build=$machine-linux-musl" --prefix=$libraries --disable-static \
    --disable-docs --disable-multi-os-directory --disable-exec-static-tramp
make -j2 install

enter zlib
./configure --prefix=$libraries
make -j2 install

enter python3
echo $libraries/lib >"/etc/ld-musl-$machine.path"
PKG_CONFIG_PATH=$libraries/lib/pkgconfig ./configure "--build=$machine-linux-musl" \
    --prefix=/usr/local --enable-shared --without-ensurepip --disable-test-modules
make -j2
# As the official images link it: it finds its libraries wherever the tree is copied to.
rm python
make "LDFLAGS=$LDFLAGS -Wl,-rpath='\$\$ORIGIN/../lib'" python
make install DESTDIR=/image
find /image -name __pycache__ -prune -exec rm -r {} +
rm -r /image/usr/local/lib/python3*/config-*
ln -s python3 /image/usr/local/bin/python
cd /image/usr/local
strip bin/python3.*[0-9] lib/libpython3*.so* lib/python3*/lib-dynload/*.so
mkdir /image/usr/lib
cp -P $libraries/lib/lib*.so* /image/usr/lib/

cd /image
mkdir bin dev etc lib opt proc root sys tmp var
chmod 1777 tmp
cp "/usr/lib/$machine-linux-musl/libc.so" "lib/ld-musl-$machine.so.1"
ln -s "ld-musl-$machine.so.1" "lib/libc.musl-$machine.so.1"
cp /bin/busybox bin/
for applet in $(bin/busybox --list); do
    if [ "$applet" != busybox ]; then ln -s busybox "bin/$applet"; fi
done
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group

# Its build leaves out, without an error, the modules whose library it did not find.
chroot /image /usr/local/bin/python3 -I -B -c 'import ctypes, zlib'
