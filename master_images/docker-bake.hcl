# The images of `make image` for `docker buildx bake`, which builds several at a time. First fetch the
# wheels (`make wheels IMAGE=buster`); then, in the root of the repository:
#
#   REVISION=$(git rev-parse HEAD) SOURCE=https://… \
#       docker buildx bake --file master_images/docker-bake.hcl buster dl
#
# For several platforms: docs/images.md, "For another processor".

variable "VERSION" {
  default = "0.1.0"
}

variable "REVISION" {
  default = ""
}

variable "SOURCE" {
  default = ""
}

target "image" {
  name = image
  matrix = {
    image = ["slim", "slim-science", "buster", "buster-science", "dl", "dl-science", "r"]
  }
  contexts   = image == "r" ? { "pht-base:r" = "target:r-base" } : {}
  dockerfile = "master_images/${split("-", image)[0]}/Dockerfile"
  network    = "none"
  args = {
    PACKAGES = contains(["slim", "buster", "r"], image) ? "plain" : image
    VERSION  = VERSION
    REVISION = REVISION
    SOURCE   = SOURCE
  }
  tags = distinct(["pht-master:${image}", "pht-master:${replace(image, "buster", "debian")}"])
}

target "r-base" {
  context = "master_images/r/base"
  tags    = ["pht-base:r"]
}
