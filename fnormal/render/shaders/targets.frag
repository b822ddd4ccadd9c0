#version 330 core
// Target 0: sRGB colour, alpha 1 on the mesh. Target 1: unit normal in the camera frame, and camera z.
#ifdef TEXCOORD_0_LOC
in vec2 uv;
uniform sampler2D albedo_texture;
#endif
#ifdef COLOR_0_LOC
in vec3 albedo_linear;
#endif
in vec3 turned_normal;
in float camera_z;
// room for config.MAX_LIGHTS
uniform int n_lights;
uniform vec3 light_direction[4];
uniform vec3 light_rgb[4];
uniform vec3 ambient_rgb;
uniform float specular;
uniform float shininess;
layout(location = 0) out vec4 out_color;
layout(location = 1) out vec4 out_normal_z;

vec3 to_linear(vec3 c) {
    return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c));
}

vec3 to_srgb(vec3 c) {
    c = clamp(c, 0.0, 1.0);
    return mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

void main() {
    vec3 n = normalize(turned_normal);
#ifdef TEXCOORD_0_LOC
    vec3 albedo = to_linear(texture(albedo_texture, uv).rgb);
#endif
#ifdef COLOR_0_LOC
    vec3 albedo = albedo_linear;
#endif
    vec3 light = albedo * ambient_rgb;
    for (int i = 0; i < n_lights; i++) {
        float cosine = max(dot(n, light_direction[i]), 0.0);
        float half_cosine = max(dot(n, normalize(light_direction[i] + vec3(0.0, 0.0, 1.0))), 0.0);
        light += light_rgb[i] * cosine * (albedo + vec3(specular * pow(half_cosine, shininess)));
    }
    out_color = vec4(to_srgb(light), 1.0);
    // The inside of an open mesh is drawn, so that nothing shines through, but it is no face.
    out_normal_z = n.z > 0.0 ? vec4(n, camera_z) : vec4(0.0);
}
