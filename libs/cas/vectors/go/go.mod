module fastcdc-vectors

go 1.24
