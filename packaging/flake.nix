# nix build ./packaging
# Read and evaluated by nix 2.8 with a stand-in for nixpkgs; not built: nixpkgs was not at hand.
{
  description = "Prints every TCP state change of a program's sockets, with the owning process";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
      manifest = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).package;
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = manifest.name;
          version = manifest.version;
          src = ../.;
          cargoLock.lockFile = ../Cargo.lock;
          buildType = "dist";
          nativeBuildInputs = [ pkgs.installShellFiles ];
          # The tests make network namespaces.
          doCheck = false;
          postInstall = ''
            installManPage man/*.[157]
            for shell in bash zsh fish; do
              $out/bin/tcplapse completions $shell > tcplapse.$shell
              installShellCompletion --$shell --name tcplapse.$shell tcplapse.$shell
            done
          '';
          meta = {
            description = manifest.description;
            license = pkgs.lib.licenses.mit;
            mainProgram = "tcplapse";
            platforms = pkgs.lib.platforms.linux;
          };
        };
      });
    };
}
