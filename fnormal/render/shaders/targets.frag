#version 330 core
// Target 0: sRGB colour, alpha 1 on the mesh. Target 1: unit normal in the camera frame, and camera z.
// The twin of render/shading.py: change both. What a light or a mesh lacks is left out by definitions,
// which halves the time of a software driver.
#ifdef TEXCOORD_0_LOC
in vec2 uv;
#endif
#ifdef COLOR_0_LOC
in vec3 albedo_linear;
#endif
#ifdef TANGENT_LOC
in vec4 mesh_tangent;
#endif
in vec3 mesh_normal;
in vec3 place;  // camera frame
uniform mat4 M;
uniform sampler2D albedo_texture;
uniform sampler2D normal_texture;
uniform sampler2D specular_texture;
#if N_LIGHTS > 0
uniform vec3 light_direction[N_LIGHTS];
uniform vec3 light_rgb[N_LIGHTS];
#endif
uniform vec3 ambient_rgb;
uniform vec3 environment[9];
uniform vec3 gain;
uniform float specular;
uniform float roughness;
uniform vec4 eye;  // w 0: a direction
uniform bool keep_inside;  // a shadow map holds whatever blocks the light
uniform float shadow;
uniform sampler2D shadow_map;  // z in the light's frame, top row first
uniform vec3 shadow_axes[3];  // right, up, toward the light
uniform vec4 shadow_frame;  // centre x, y, texels a unit, bias
layout(location = 0) out vec4 out_color;
layout(location = 1) out vec4 out_normal_z;

const float F0 = 0.028;

vec3 to_linear(vec3 c) {
    return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c));
}

vec3 to_srgb(vec3 c) {
    c = clamp(c, 0.0, 1.0);
    return mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

vec3 shading_normal() {
    vec3 n = normalize(mesh_normal);
#ifdef NORMAL_TEXTURE
    vec3 bump = 2.0 * texture(normal_texture, uv).rgb - 1.0;
#ifdef TANGENT_LOC
    vec3 t = normalize(mesh_tangent.xyz - dot(mesh_tangent.xyz, n) * n);
    n = bump.x * t + bump.y * (mesh_tangent.w > 0.0 ? 1.0 : -1.0) * cross(n, t) + bump.z * n;
#else
    n = bump;
#endif
#endif
    return normalize(mat3(M) * n);
}

vec3 around(vec3 n) {
#ifndef ENVIRONMENT
    return ambient_rgb;
#endif
    vec3 e = environment[0] + environment[1] * n.y + environment[2] * n.z + environment[3] * n.x;
    e += environment[4] * n.x * n.y + environment[5] * n.y * n.z + environment[6] * (3.0 * n.z * n.z - 1.0);
    e += environment[7] * n.x * n.z + environment[8] * (n.x * n.x - n.y * n.y);
    return ambient_rgb + max(e, 0.0);
}

float reach(vec3 n) {
#ifndef SHADOW
    return 1.0;
#endif
    vec3 off = place + shadow_frame.w * n;  // off the surface: a slanted one must not shade itself
    vec3 at = vec3(dot(shadow_axes[0], off), dot(shadow_axes[1], off), dot(shadow_axes[2], off));
    int side = textureSize(shadow_map, 0).x;
    ivec2 middle = ivec2(floor(vec2(at.x - shadow_frame.x, shadow_frame.y - at.y) * shadow_frame.z + 0.5 * side));
    float clear = 0.0;
    for (int j = -1; j <= 1; j++) {
        for (int i = -1; i <= 1; i++) {
            ivec2 cell = middle + ivec2(i, j);
            bool outside = any(lessThan(cell, ivec2(0))) || any(greaterThanEqual(cell, ivec2(side)));
            if (outside || at.z + shadow_frame.w >= texelFetch(shadow_map, cell, 0).r) clear += 1.0;
        }
    }
    return 1.0 - shadow * (1.0 - clear / 9.0);
}

float highlight(vec3 n, vec3 view, vec3 light, float cosine) {
    vec3 h = normalize(light + view);
    float a2 = roughness * roughness * roughness * roughness;
    float k = 0.5 * roughness * roughness;
    float nh = max(dot(n, h), 0.0);
    float m = 1.0 - max(dot(view, h), 0.0);
    float nv = max(dot(n, view), 0.05);
    float d = nh * nh * (a2 - 1.0) + 1.0;
    float visible = 1.0 / ((cosine * (1.0 - k) + k) * (nv * (1.0 - k) + k) * 4.0);
    return cosine * a2 / (d * d) * visible * (F0 + (1.0 - F0) * m * m * m * m * m);
}

void main() {
    vec3 n = shading_normal();
    vec3 view = eye.w == 0.0 ? eye.xyz : normalize(eye.xyz - place);
#ifdef ALBEDO_TEXTURE
    vec3 albedo = to_linear(texture(albedo_texture, uv).rgb);
#else
    vec3 albedo = albedo_linear;
#endif
#ifdef HIGHLIGHT
    float gloss = specular;
#ifdef SPECULAR_TEXTURE
    gloss *= texture(specular_texture, uv).r * 255.0 / 128.0;
#endif
#endif
    vec3 light = albedo * around(n);
#if N_LIGHTS > 0
    for (int i = 0; i < N_LIGHTS; i++) {
        float cosine = dot(n, light_direction[i]);
        if (cosine <= 0.0) continue;
        vec3 arrives = light_rgb[i] * (i == 0 ? reach(n) : 1.0);
        light += arrives * albedo * cosine;
#ifdef HIGHLIGHT
        light += arrives * gloss * highlight(n, view, light_direction[i], cosine);
#endif
    }
#endif
    out_color = vec4(to_srgb(light * gain), 1.0);
    // The inside of an open mesh is drawn, so that nothing shines through, but it is no face.
    out_normal_z = keep_inside || dot(n, view) > 0.0 ? vec4(n, place.z) : vec4(0.0);
}
