const place = document.getElementById("redoc");
Redoc.init("openapi.json", { nonce: place.dataset.nonce }, place);
