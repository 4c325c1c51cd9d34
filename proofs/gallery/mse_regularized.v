(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with mean squared error: K = 3, N = 6, d = 3.
    [lower_bound] is about every point of every dimension, [upper_bound] about the
    point below, [certified_gap] says how far above the global minimum that is. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From UFM Require Import CollapseIdentity Labels Mse.
From UFM Require Import CertificateNumbers CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

Local Open Scope Z_scope.
Definition sizes : seq Z := [:: 2; 2; 2].
Definition lambda_W : Q := (1 # 50)%binQ.
Definition lambda_H : Q := (1 # 100)%binQ.
Definition the_problem : problem :=
  onehot_problem 3 sizes lambda_W lambda_H (RegularizedBiasN (3 # 10)%binQ).
Definition the_dual : dual := Dual 0x2000000000000000000 0x75f6fd21ff2e48e8a71de69ad42c3c9eecb
 [:: [:: -0x1eb851eb851eb328f6; 0x19ef8; 0xd810];
  [:: -0x11839; -0x1eb851eb851eb428f6; 0xe9aa];
  [:: -0x6fb2; 0x2586; -0x1eb851eb851eb428f6]]
 [:: [::];
  [::];
  [::]].
Definition the_point : point := Point 3 0x100000000000000
 [:: [:: 0xaf8137ce23b290; 0x6553e566d84558; 0x7f24d047aa7798];
  [:: -0xaf8137ce23b290; 0x6553e566d84558; 0x7f24d047aa7798];
  [:: 0x0; -0xcaa7cacdb08ab0; 0x7f24d047aa7798]]
 [:: [:: 0xaf8137ce23b290; 0x6553e566d84558; 0x7f24d047aa7798];
  [:: -0xaf8137ce23b290; 0x6553e566d84558; 0x7f24d047aa7798];
  [:: 0x0; -0xcaa7cacdb08ab0; 0x7f24d047aa7798]]
 [:: 0x11111111111111; 0x11111111111111; 0x11111111111111].
Definition lower : Q := (0x398c7e28240b7040c78a0902dde5361cf3d # 0x400000000000000000000000000000000000)%binQ.
Definition upper : Q := (0x7318fc504816f0068db8bac7117010843fb5621 # 0x8000000000000000000000000000000000000000)%binQ.
Definition gap : Q := (0xf84fea4a8c155a5a44a58157 # 0x80000000000000000000000000000000000000)%binQ.

Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_mse_lower the_problem the_dual lower.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_mse_upper the_problem the_point upper.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (RegularizedBias (qr R (3 # 10)%binQ)) b ->
  qr R lower <= ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (RegularizedBias (qr R (3 # 10)%binQ)) W H b.
Proof. exact: (mse_lower_claim lower_checked). Qed.

Theorem upper_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (RegularizedBias (qr R (3 # 10)%binQ))
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := mse_upper_claim upper_checked R h. Qed.

Theorem certified_gap (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (RegularizedBias (qr R (3 # 10)%binQ)) b ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (RegularizedBias (qr R (3 # 10)%binQ))
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (RegularizedBias (qr R (3 # 10)%binQ)) W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound R h) (lower_bound h W H ok).
Qed.
Print Assumptions certified_gap.
