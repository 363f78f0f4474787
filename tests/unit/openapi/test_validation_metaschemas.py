"""The shipped meta-schemas are the official ones, and documents in the spirit of the official examples are valid."""

from __future__ import annotations

from importlib.resources import files

import msgspec
import pytest

from specsync.openapi.canonical import normalize
from specsync.openapi.load import load
from specsync.openapi.validation import judge
from specsync.openapi.validation.metaschemas import FOLDER, read

ORIGINALS = {
    "swagger-2.0.json": ("openapi_spec_validator", "resources/schemas/v2.0/schema.json"),
    "openapi-3.0.json": ("openapi_spec_validator", "resources/schemas/v3.0/schema.json"),
    "openapi-3.1.json": ("openapi_spec_validator", "resources/schemas/v3.1/schema.json"),
    "openapi-3.2.json": ("openapi_spec_validator", "resources/schemas/v3.2/schema.json"),
    "dialect-3.1.json": ("openapi_schema_validator", "schemas/oas3.1/metaschema.json"),
    "dialect-3.2.json": ("openapi_schema_validator", "schemas/oas3.2/dialect/2025-09-17.json"),
    "vocabulary-3.1.json": ("openapi_schema_validator", "schemas/oas3.1/vocabularies/base"),
    "vocabulary-3.2.json": ("openapi_schema_validator", "schemas/oas3.2/meta/2025-09-17.json"),
}


def test_all_that_is_shipped_has_an_original() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(ORIGINALS)


@pytest.mark.parametrize("name", ORIGINALS)
def test_shipped_as_it_was_published(name: str) -> None:
    package, path = ORIGINALS[name]
    original = files(package).joinpath(path).read_bytes()
    assert (FOLDER / name).read_bytes() == original
    assert read(name) == msgspec.json.decode(original)


PETSTORE_2 = """
swagger: "2.0"
info: {version: 1.0.0, title: Swagger Petstore, license: {name: MIT}}
host: petstore.swagger.io
basePath: /v1
schemes: [http]
consumes: [application/json]
produces: [application/json]
securityDefinitions:
  petstore_auth:
    type: oauth2
    authorizationUrl: http://petstore.swagger.io/oauth/dialog
    flow: implicit
    scopes: {write:pets: modify pets in your account, read:pets: read your pets}
  api_key: {type: apiKey, name: api_key, in: header}
paths:
  /pets:
    get:
      summary: List all pets
      operationId: listPets
      tags: [pets]
      parameters:
        - {name: limit, in: query, description: How many, required: false, type: integer, format: int32}
        - {name: tags, in: query, type: array, items: {type: string}, collectionFormat: csv}
      responses:
        "200":
          description: A paged array of pets
          headers: {x-next: {type: string, description: A link to the next page}}
          schema: {$ref: '#/definitions/Pets'}
          examples: {application/json: [{id: 1, name: a}]}
        default: {$ref: '#/responses/Error'}
      security: [{petstore_auth: ['write:pets', 'read:pets']}, {api_key: []}]
    post:
      summary: Create a pet
      operationId: createPets
      parameters: [{name: pet, in: body, required: true, schema: {$ref: '#/definitions/Pet'}}]
      responses: {"201": {description: Null response}}
  /pets/{petId}/photo:
    parameters: [{$ref: '#/parameters/petId'}]
    post:
      operationId: addPhoto
      consumes: [multipart/form-data]
      parameters: [{name: file, in: formData, type: file}]
      responses: {"204": {description: Stored}}
parameters:
  petId: {name: petId, in: path, required: true, type: string}
responses:
  Error: {description: unexpected error, schema: {$ref: '#/definitions/Error'}}
definitions:
  Pet:
    type: object
    required: [id, name]
    discriminator: name
    properties:
      id: {type: integer, format: int64}
      name: {type: string}
      tag: {type: string, x-nullable: true}
  Cat: {allOf: [{$ref: '#/definitions/Pet'}, {type: object, properties: {claws: {type: boolean, default: true}}}]}
  Pets: {type: array, items: {$ref: '#/definitions/Pet'}}
  Error:
    type: object
    required: [code, message]
    properties: {code: {type: integer, format: int32}, message: {type: string}}
"""

PETSTORE_3 = """
openapi: 3.0.0
info: {version: 1.0.0, title: Swagger Petstore, license: {name: MIT}}
servers:
  - url: https://{host}.example/v1
    variables: {host: {default: petstore, enum: [petstore, staging]}}
paths:
  /pets:
    get:
      summary: List all pets
      operationId: listPets
      tags: [pets]
      parameters:
        - {name: limit, in: query, required: false, schema: {type: integer, maximum: 100, format: int32}}
        - {name: filter, in: query, content: {application/json: {schema: {type: object}}}}
      responses:
        '200':
          description: A paged array of pets
          headers: {x-next: {description: A link to the next page, schema: {type: string}}}
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Pets'}
              examples: {one: {$ref: '#/components/examples/One'}}
          links: {self: {operationId: showPetById, parameters: {petId: $response.body#/0/id}}}
        default: {$ref: '#/components/responses/Error'}
      security: [{}, {oauth: ['read:pets']}]
    post:
      operationId: createPets
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Pet'}}
          multipart/form-data:
            schema: {type: object, properties: {photo: {type: string, format: binary}}}
            encoding: {photo: {contentType: image/png}}
      callbacks:
        created:
          '{$request.body#/url}':
            post: {responses: {'200': {description: thanks}}}
      responses: {'201': {description: Null response}}
  /pets/{petId}:
    get:
      operationId: showPetById
      parameters: [{name: petId, in: path, required: true, style: simple, schema: {type: string}}]
      responses:
        '200':
          description: Expected response
          content: {application/json: {schema: {oneOf: [{$ref: '#/components/schemas/Pet'}, {type: string}]}}}
components:
  examples: {One: {value: [{id: 1, name: a}]}}
  responses:
    Error:
      description: unexpected error
      content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}
  securitySchemes:
    oauth:
      type: oauth2
      flows:
        authorizationCode:
          authorizationUrl: https://a.example/authorize
          tokenUrl: https://a.example/token
          scopes: {read:pets: read}
    bearer: {type: http, scheme: bearer, bearerFormat: JWT}
    open: {type: openIdConnect, openIdConnectUrl: 'https://a.example/.well-known/openid-configuration'}
  schemas:
    Pet:
      type: object
      required: [id, name]
      properties: {id: {type: integer, format: int64}, name: {type: string}, tag: {type: string, nullable: true}}
      discriminator: {propertyName: name, mapping: {cat: '#/components/schemas/Cat'}}
    Cat: {allOf: [{$ref: '#/components/schemas/Pet'}, {type: object, additionalProperties: false}]}
    Pets: {type: array, maxItems: 100, items: {$ref: '#/components/schemas/Pet'}}
    Error:
      type: object
      required: [code, message]
      properties: {code: {type: integer, format: int32, minimum: 0, exclusiveMinimum: true}, message: {type: string}}
"""

WEBHOOK_3_1 = """
openapi: 3.1.0
info: {title: Webhook Example, version: 1.0.0, summary: An example, license: {name: MIT, identifier: MIT}}
jsonSchemaDialect: https://spec.openapis.org/oas/3.1/dialect/base
webhooks:
  newPet:
    post:
      requestBody:
        description: Information about a new pet in the system
        content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}
      responses: {'200': {description: Return a 200 status to indicate that the data was received successfully}}
components:
  pathItems:
    Users: {get: {responses: {'200': {description: users}}}}
  securitySchemes: {mutual: {type: mutualTLS}}
  schemas:
    Pet:
      $id: https://a.example/pet
      type: [object, 'null']
      required: [id, name]
      properties:
        id: {type: integer, format: int64, exclusiveMinimum: 0}
        name: {type: string, examples: [Rex], $comment: whatever}
        tag: {const: x}
        parts: {prefixItems: [{type: string}, true], unevaluatedItems: false}
        photo: {type: string, contentMediaType: image/png, contentEncoding: base64}
      patternProperties: {'^y-': true}
      if: {properties: {tag: {const: cat}}}
      then: {required: [claws]}
      $defs: {inner: {type: string, $anchor: inner}}
"""

SCOPES_3_1 = """
openapi: 3.1.0
info: {title: Non-oAuth Scopes example, version: 1.0.0}
paths:
  /users:
    get:
      security: [{bearerAuth: ['read:users', public]}]
components:
  securitySchemes:
    bearerAuth: {type: http, scheme: bearer, bearerFormat: jwt, description: "note: non-oauth scopes are not defined"}
"""

QUERY_3_2 = """
openapi: 3.2.0
$self: https://a.example/openapi.yaml
info: {title: New in 3.2, version: 1.0.0}
servers: [{url: https://a.example, name: production}]
tags: [{name: search, summary: Search, kind: nav}, {name: by-text, parent: search}]
paths:
  /search:
    query:
      operationId: search
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses:
        '200':
          description: events
          content: {text/event-stream: {itemSchema: {type: object}}}
    additionalOperations:
      COPY: {operationId: copy, responses: {'204': {description: copied}}}
  /raw:
    get:
      parameters: [{name: all, in: querystring, content: {application/x-www-form-urlencoded: {schema: {type: object}}}}]
      responses: {'200': {summary: short}}
components:
  mediaTypes: {Text: {schema: {type: string}}}
"""

EXAMPLES = {
    "petstore-2.0": PETSTORE_2,
    "petstore-3.0": PETSTORE_3,
    "webhook-3.1": WEBHOOK_3_1,
    "non-oauth-scopes-3.1": SCOPES_3_1,
    "query-3.2": QUERY_3_2,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_valid_and_normalize(name: str) -> None:
    loaded = load(EXAMPLES[name].encode())
    assert loaded.format.endswith(name[-3:])
    assert judge(loaded).findings == []
    document = normalize(loaded)
    assert len(document.operations) + len(document.webhooks) > 0
