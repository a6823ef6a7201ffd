SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  // A session's cookie is sent by itself.
  requestInterceptor: (request) => { request.credentials = "same-origin"; return request; },
});
