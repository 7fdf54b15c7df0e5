#!/usr/bin/env bash
# Packs Deno, the Vulkan loader, the library and its GPU bench into one folder,
# for a machine with a card and without a network. Here:
#   bench/gpu_offline.sh build/gpu_offline
# There, with the folder (about 30 MB, x86-64 Linux with glibc, the card's own
# driver installed):
#   gpu_offline/run.sh          # prints the adapter, runs tests/webgpu and the bench
#   cat gpu_offline/RESULTS_GPU.md
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-build/gpu_offline}"
rm -rf "$out"
mkdir -p "$out/debs" "$out/tree"

# Deno as npm hands it out, compressed hard: 96 MB to 28 MB
binary="$(npx -y deno@2.9.5 eval 'console.log(Deno.execPath())')"
xz -9e -T0 -c "$binary" >"$out/deno.xz"

# The Vulkan loader; the driver is the machine's own
(cd "$out/debs" && apt-get download -qq libvulkan1 2>/dev/null) ||
  echo "The Vulkan loader could not be fetched: the machine must have libvulkan1"

# What the tests and the bench import, and nothing from a registry
cp -r mod.ts deno.json src bench tests vendor examples "$out/tree/"

cat >"$out/run.sh" <<'RUN'
#!/usr/bin/env bash
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
chmod 700 "$work"
if command -v xz >/dev/null; then
  xz -dc "$here/deno.xz" >"$work/deno"
else
  python3 -c "import lzma,shutil,sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], 'wb'))" "$here/deno.xz" "$work/deno"
fi
chmod +x "$work/deno"
if ! ldconfig -p | grep -q libvulkan; then
  for deb in "$here"/debs/*.deb; do dpkg -x "$deb" "$work/root"; done
  LD_LIBRARY_PATH="$(dirname "$(find "$work/root" -name 'libvulkan.so.1' | head -n 1)"):${LD_LIBRARY_PATH:-}"
  export LD_LIBRARY_PATH
fi
export DENO_DIR="$work/cache" XDG_RUNTIME_DIR="$work" DENO_WEBGPU_BACKEND=vulkan
export DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 REQUIRE_GPU=1
# a browser would need a bundler from a registry
export CHROMIUM=none
cd "$here/tree"
deno() { "$work/deno" "$@"; }
# the adapter first, so that no software driver passes for the card
deno eval 'const a = await navigator.gpu.requestAdapter(); console.log(a?.info.description, a?.info.isFallbackAdapter ? "SOFTWARE" : "")'
flags=(--no-remote --no-npm --no-check --no-lock -A)
status=0
deno test "${flags[@]}" tests/webgpu || status=1
deno run "${flags[@]}" bench/gpu.ts "$here/RESULTS_GPU.md" || status=1
exit "$status"
RUN
chmod +x "$out/run.sh"
du -sh "$out"
